"""How long a cluster is without a leader when the leader dies.

    ./dev bench failover [--runs 20] [--nodes 5] [--clients 8]

In each run the leader is killed (SIGKILL) while `toydb workload` writes; measured is the time from
the kill to the end of the first commit begun after it, asked for on another node. Then the node is
started again. Settings are the defaults. At the end the workload verifies that every write it was
told of is there once.
"""
import argparse
import os
import random
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))
from harness import Cluster, SqlError, TOYDB, popen, wait_for  # noqa: E402  pylint: disable=wrong-import-position


def caught_up(cluster):
    """All nodes answer, and have applied nearly all there is."""
    states = [node.status() for node in cluster.nodes]
    if not all(states):
        return False
    return max(s.commit_index for s in states) - min(s.applied_index for s in states) < 1000


def measure(cluster, number):
    leader = cluster.leader()
    others = [node for node in cluster.nodes if node is not leader]
    probe = random.choice(others)
    probe.rows("SELECT 1")  # connected
    leader.process.kill()
    started = time.monotonic()
    refused = 0
    while True:
        try:
            probe.execute("INSERT INTO probe VALUES ($1, $2)", [number, refused])
            break
        except SqlError:
            refused += 1
    took = time.monotonic() - started
    leader.process.wait()
    leader.start()
    wait_for(lambda: caught_up(cluster), "the node to catch up")
    return took, refused


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--nodes", type=int, default=5)
    parser.add_argument("--clients", type=int, default=8)
    arguments = parser.parse_args()
    times = []
    with Cluster(arguments.nodes) as cluster:
        cluster.leader()
        cluster.nodes[0].execute("CREATE TABLE probe (id INTEGER PRIMARY KEY, refused INTEGER)")
        with open(os.path.join(cluster.dir, "workload"), "w+", encoding="utf-8") as said:
            load = popen([TOYDB, "workload", "write", "-H", cluster.addresses, "-c",
                          str(arguments.clients), "--seconds", "100000"],
                         stdin=subprocess.DEVNULL, stdout=said, stderr=said)
            wait_for(lambda: os.path.getsize(said.name) > 0, "the load to begin")
            for number in range(1, arguments.runs + 1):
                took, refused = measure(cluster, number)
                times.append(took)
                print(f"run {number:2}: {took:.3f} s" + (f", refused {refused} times" if refused else ""),
                      flush=True)
            load.send_signal(2)
            code = load.wait(120)
            said.seek(0)
            tail = said.read().splitlines()[-3:]
    print("\n".join(tail))
    times.sort()
    print(f"failover of {arguments.nodes} nodes, {arguments.runs} runs: "
          f"p50 {statistics.median(times):.3f} s, max {times[-1]:.3f} s")
    sys.exit(code)


main()
