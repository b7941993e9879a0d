"""How the cost of a write grows with the number of nodes, all on this machine.

    ./dev bench scale [--nodes 1,3,5,7] [--seconds 10] [--clients 16]

For each size: single-row inserts by `toydb workload`, and the processor time of the leader and of
all nodes meanwhile, in percent of one core and per write.
"""
import argparse
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))
from harness import Cluster, TOYDB, run  # noqa: E402  pylint: disable=wrong-import-position

TICK = os.sysconf("SC_CLK_TCK")


def processor_seconds(node):
    with open(f"/proc/{node.process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def measure(nodes, arguments):
    with Cluster(nodes) as cluster:
        leader = cluster.leader()
        before = {node: processor_seconds(node) for node in cluster.nodes}
        code, out, error = run([TOYDB, "workload", "write", "-H", cluster.addresses, "-c",
                                str(arguments.clients), "--seconds", str(arguments.seconds)],
                               timeout=arguments.seconds + 120)
        assert code == 0, out + error
        used = {node: processor_seconds(node) - before[node] for node in cluster.nodes}
        assert cluster.leader() is leader, "the leader has changed"
        done, seconds, rate, errors = re.search(
            r"^([\d,]+) \w+ by .* in ([\d.]+) s: ([\d,]+)/s, errors (\d+)", out, re.M).groups()
        p50, p99 = re.search(r"p50 ([\d.]+) ms.*p99 ([\d.]+) ms", out).groups()
        done = int(done.replace(",", ""))
        print(f"{nodes:5} {rate:>9} {p50:>7} {p99:>7} {used[leader] / float(seconds) * 100:>9.0f} "
              f"{used[leader] / done * 1e6:>10.0f} {sum(used.values()) / done * 1e6:>9.0f} {errors:>7}",
              flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nodes", default="1,3,5,7")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--clients", type=int, default=16)
    arguments = parser.parse_args()
    print(f"single-row inserts, {arguments.clients} clients, {arguments.seconds} s, "
          f"{os.cpu_count()} cores for nodes and clients together\n")
    print("nodes  writes/s  p50 ms  p99 ms  leader %  us/write  all us/wr  errors")
    for nodes in arguments.nodes.split(","):
        measure(int(nodes), arguments)


main()
