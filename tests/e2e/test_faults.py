"""Killed processes: what was acknowledged stays, and the rest of the cluster goes on."""
import threading
import time
import uuid

import grpc

from harness import PATIENCE, Cluster, SqlError, main, raises, test, wait_for


def fill(node, table="t", rows=10):
    node.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
    for number in range(rows):
        node.execute(f"INSERT INTO {table} VALUES ({number}, 'row {number}')")


def same_everywhere(cluster, sql):
    """The answer, which every node must give."""
    answers = [node.rows(sql) for node in cluster.nodes]
    for node, answer in zip(cluster.nodes, answers):
        assert answer == answers[0], f"node {node.id} differs: {len(answer)} and {len(answers[0])}"
    return answers[0]


@test
def the_leader_dies():
    with Cluster() as cluster:
        fill(cluster.follower())
        for number in range(100, 103):
            leader, others = cluster.roles()
            leader.kill()
            # It waits for the next leader. For how long is measured in simulated time, where it is
            # certain (tests/unit/replica), and by ./dev bench failover.
            started = time.monotonic()
            others[0].execute(f"INSERT INTO t VALUES ({number}, 'after')")
            took = time.monotonic() - started
            print(f"# the statement after the leader's death took {took:.2f} s")
            leader.start()
        cluster.leader()
        assert len(same_everywhere(cluster, "SELECT * FROM t ORDER BY id")) == 13


@test
def two_die_then_three_then_all_return():
    with Cluster(start=False) as cluster:
        *_, patient, last = cluster.nodes
        last.options = ["--quorum-timeout", "2"]
        cluster.start()
        fill(cluster.nodes[0])
        cluster.nodes[0].kill()
        cluster.nodes[1].kill()
        patient.execute("INSERT INTO t VALUES (20, 'three of five')")
        assert patient.rows("SELECT count(*) FROM t") == [(11,)]
        cluster.nodes[2].kill()
        # Whichever of the two led may lead on for a moment; it knows that it cannot commit.
        for node in patient, last:
            wait_for(lambda node=node: [m.role for m in node.state().nodes[:3]] ==
                     ["unreachable"] * 3, "the dead to be missed")
        for sql in ["INSERT INTO t VALUES (30, 'two of five')", "SELECT count(*) FROM t"]:
            with raises("57P03") as error:
                last.execute(sql)
            assert "quorum" in error.value.message, error.value
            assert error.value.status == grpc.StatusCode.UNAVAILABLE, error.value.status
        wait_for(lambda: last.state().role != "leader", "a leader of nobody to step down")
        for node in cluster.nodes[:3]:
            node.start()
        cluster.leader()
        rows = same_everywhere(cluster, "SELECT id FROM t ORDER BY id")
        # The refused one was refused before it was proposed: 'nothing was changed' is a promise.
        assert rows == [(n,) for n in range(10)] + [(20,)], rows


class Writer(threading.Thread):
    """Inserts rows of its own through one node until told to stop, or until the node is gone."""

    def __init__(self, node, number):
        super().__init__(daemon=True)
        self.node, self.number = node, number
        self.acknowledged, self.tried = [], []
        self.stop = False

    def run(self):
        key = self.number * 1000000
        while not self.stop:
            key += 1
            self.tried.append(key)
            try:
                self.node.execute(f"INSERT INTO t VALUES ({key}, 'writer {self.number}')")
            except (grpc.RpcError, SqlError):
                if not self.node.alive():
                    return
                continue
            self.acknowledged.append(key)


@test
def all_die_under_writers():
    with Cluster() as cluster:
        fill(cluster.nodes[0], rows=0)
        for generation in range(2):
            writers = [Writer(node, 10 * generation + i + 1)
                       for i, node in enumerate(cluster.nodes + cluster.nodes)]
            for writer in writers:
                writer.start()
            wait_for(lambda: sum(len(w.acknowledged) for w in writers) >= 500,  # pylint: disable=W0640
                     "rows to be acknowledged")
            for node in cluster.nodes:
                node.process.kill()
            for node in cluster.nodes:
                node.kill()
            for writer in writers:
                writer.stop = True
            for writer in writers:
                writer.join(PATIENCE)
                assert not writer.is_alive()
            cluster.start()
            there = {row[0] for row in same_everywhere(cluster, "SELECT id, name FROM t ORDER BY id")}
            acknowledged = {key for w in writers for key in w.acknowledged}
            tried = {key for w in writers for key in w.tried}
            lost = acknowledged - there
            assert not lost, f"{len(lost)} of {len(acknowledged)} acknowledged rows are lost"
            strange = {key for key in there if key // 1000000 > 10 * generation} - tried
            assert not strange, strange
            print(f"# {len(acknowledged)} acknowledged, {len(there)} there")


@test
def a_resend_runs_once_while_leaders_die():
    with Cluster() as cluster:
        cluster.nodes[0].execute("CREATE TABLE counter (id INTEGER PRIMARY KEY, n INTEGER)")
        cluster.nodes[0].execute("INSERT INTO counter VALUES (1, 0), (2, 0), (3, 0)")
        done = [0, 0, 0]
        stop = threading.Event()
        problems = []

        def increment(row):
            turn = row
            while not stop.is_set() or done[row] == 0:
                name = uuid.uuid4().bytes
                deadline = time.monotonic() + PATIENCE
                while True:
                    node = cluster.nodes[turn % 5]
                    try:
                        node.execute(f"UPDATE counter SET n = n + 1 WHERE id = {row + 1}",
                                     request_id=name, timeout=5)
                        done[row] += 1
                        break
                    except (grpc.RpcError, SqlError) as error:
                        turn += 1
                        if time.monotonic() > deadline:
                            problems.append(error)
                            return
                        time.sleep(0.05)

        threads = [threading.Thread(target=increment, args=(row,), daemon=True) for row in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            before = sum(done)
            wait_for(lambda: sum(done) >= before + 30 or problems, "increments")  # pylint: disable=W0640
            leader = cluster.leader()
            leader.kill()
            leader.start()
        stop.set()
        for thread in threads:
            thread.join(2 * PATIENCE)
            assert not thread.is_alive()
        assert not problems, problems
        cluster.leader()
        rows = same_everywhere(cluster, "SELECT n FROM counter ORDER BY id")
        assert [row[0] for row in rows] == done, f"{rows}, acknowledged {done}"


@test
def nodes_stop_in_good_order_and_come_back():
    with Cluster() as cluster:
        fill(cluster.nodes[0])
        for node in cluster.nodes:
            assert node.stop() == 0, node.log_text()[-500:]
        cluster.start()
        assert len(same_everywhere(cluster, "SELECT * FROM t ORDER BY id")) == 10


main()
