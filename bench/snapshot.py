#!/usr/bin/env python3
"""What it costs a running cluster that an empty node joins it and gets everything by snapshot.

    python3 bench/snapshot.py [--mebibytes 1024] [--rate 32] [--clients 16] [--seconds 20]

Starts a cluster of three processes in a temporary directory, fills it, and measures inserts a second with
`toydb workload write`: alone, then while a fourth node catches up. Afterwards a fifth one joins with nothing else
going on and no limit on the rate, for how fast it could be. TOYDB_BUILD_ROOT names the build (./build)."""
import argparse
import os
import re
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))

from harness import TOYDB, Cluster, Node, free_ports, run, wait_for  # pylint: disable=wrong-import-position

ROW = 1 << 20


def fill(cluster, mebibytes):
    leader = cluster.leader()
    leader.execute("CREATE TABLE big (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")

    def insert(first):
        for key in range(first, mebibytes, 4):
            leader.execute(f"INSERT INTO big VALUES ({key}, repeat('{key:016}', {ROW // 16}))")
    threads = [threading.Thread(target=insert, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def writes(cluster, arguments):
    """Inserts a second, and what to print of them."""
    code, out, err = run([TOYDB, "workload", "write", "-H", cluster.addresses, "-c",
                          str(arguments.clients), "--seconds", str(arguments.seconds)],
                         timeout=arguments.seconds + 60)
    assert code == 0, err
    total = re.search(r"in [0-9.]+ s: ([0-9,]+)/s", out)
    latency = re.search(r"latency: (.*)", out)
    return float(total.group(1).replace(",", "")), f"{total.group(1)}/s, {latency.group(1)}"


def join(cluster, number):
    node = Node(cluster, number, free_ports(1)[0], os.path.join(cluster.dir, f"node{number}"),
                ["--join", cluster.addresses, "--learner"])
    node.start()
    return node


def caught_up(node):
    """MB/s of its snapshot."""
    pattern = r"goes on from the snapshot at \d+: (\d+) KiB in (\d+) ms"
    found = wait_for(lambda: re.search(pattern, node.log_text()), "the snapshot", patience=600)
    kib, ms = int(found.group(1)), int(found.group(2))
    return kib * 1024 / 1e6, ms / 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mebibytes", type=int, default=1024)
    parser.add_argument("--rate", type=int, default=32, help="MiB a second, as --snapshot-rate")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=int, default=20)
    arguments = parser.parse_args()
    os.environ.update(TOYDB_LOG_KEEP="16", TOYDB_LOG_KEEP_MAX="256")
    os.environ["TOYDB_SNAPSHOT_RATE"] = str(arguments.rate)
    with Cluster(3) as cluster:
        fill(cluster, arguments.mebibytes)
        alone = []

        def by_itself():
            rate, line = writes(cluster, arguments)
            alone.append(rate)
            print("alone: ", line, flush=True)
        by_itself()
        by_itself()
        node = join(cluster, 4)
        wait_for(lambda: "fetches a snapshot" in node.log_text(), "a snapshot to begin")
        rate, line = writes(cluster, arguments)
        during = "goes on from the snapshot" not in node.log_text()
        print("beside:", line, "" if during else "(it ended before the load did)", flush=True)
        mb, seconds = caught_up(node)
        print(f"caught up {mb:.0f} MB in {seconds:.1f} s, {mb / seconds:.0f} MB/s, limited to "
              f"{arguments.rate} MiB/s")
        node.stop()
        by_itself()
        print(f"writes beside it: {100 * rate * len(alone) / sum(alone):.0f} % of those alone")
        for other in cluster.nodes:
            other.stop()
        os.environ["TOYDB_SNAPSHOT_RATE"] = str(1 << 20)
        cluster.start()
        node = join(cluster, 5)
        mb, seconds = caught_up(node)
        print(f"caught up {mb:.0f} MB in {seconds:.1f} s, {mb / seconds:.0f} MB/s, without a limit")
        node.kill()


main()
