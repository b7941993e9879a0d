"""A node that was away until the others' logs had nothing for it any more."""
import os
import threading

import grpc

from harness import SLOW, Cluster, SqlError, main, test, wait_for

# Little log, and so slow that something can happen on the way.
os.environ.update(TOYDB_LOG_KEEP="1", TOYDB_LOG_KEEP_MAX="1", TOYDB_SNAPSHOT_RATE="16")

ROWS = 64
TAKEN_OVER = "goes on from the snapshot at"


def insert(node, keys):
    """About a megabyte each."""
    for key in keys:
        node.execute(f"INSERT INTO t VALUES ({key}, repeat('{key:010}', 100000))")


def answer(node, sql, seconds=60):
    """What the node says once it has an answer."""
    def ask():
        try:
            return node.rows(sql, timeout=10)
        except (SqlError, grpc.RpcError):
            return None
    return wait_for(ask, seconds, f"node {node.id} to answer {sql}")


def log_is_gone(cluster, away):
    """The leader's log begins behind what the node has."""
    state = cluster.leader().status()
    last = next(node.match_index for node in state.nodes if node.id == away.id)
    return state.first_log_index > last + 1


def incoming(node):
    """Bytes of the snapshot that is being received."""
    try:
        return os.stat(os.path.join(node.dir, "data.toydb.incoming")).st_size
    except FileNotFoundError:
        return 0


class Writer(threading.Thread):
    """Small inserts through one node, one after another, until told to stop."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.node, self.acknowledged, self.problem, self.stop = node, [], None, False

    def run(self):
        key = 1000000
        while not self.stop:
            key += 1
            try:
                self.node.execute(f"INSERT INTO t VALUES ({key}, 'small')")
                self.acknowledged.append(key)
            except (SqlError, grpc.RpcError) as error:
                self.problem = error
                return


@test
def a_node_away_for_long_gets_a_snapshot():
    with Cluster(3) as cluster:
        away = cluster.follower()
        first = cluster.leader()
        first.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
        insert(first, range(2))
        assert answer(away, "SELECT count(*) FROM t") == [(2,)]
        away.kill()
        insert(first, range(2, ROWS))
        wait_for(lambda: log_is_gone(cluster, away), 60, "the log to be dropped")

        writer = Writer(first)
        writer.start()
        away.start()
        # Killed in the middle, it begins again; what was received so far is of no use to it.
        wait_for(lambda: incoming(away) > 8 << 20, 60, "a snapshot to come")
        away.kill()
        assert TAKEN_OVER not in away.log_text()
        away.start()
        wait_for(lambda: TAKEN_OVER in away.log_text(), 60, "the snapshot to be taken over")
        writer.stop = True
        writer.join(30 * SLOW)
        assert writer.problem is None, writer.problem
        assert len(writer.acknowledged) > 10, len(writer.acknowledged)

        every = "SELECT id, length(text) FROM t ORDER BY id"
        rows = answer(away, every)
        assert rows == first.rows(every)
        assert {row[0] for row in rows} == set(range(ROWS)) | set(writer.acknowledged)
        assert not incoming(away)
        state = away.status()
        assert state.applied_index >= state.first_log_index > 1
        # It can do what any node can, also after another restart.
        insert(away, [ROWS])
        away.kill()
        away.start()
        first.kill()
        cluster.leader()
        assert answer(away, "SELECT count(*) FROM t") == [(ROWS + 1 + len(writer.acknowledged),)]
        print(f"# {len(writer.acknowledged)} inserts meanwhile")


@test
def the_leader_dies_while_it_sends_one():
    with Cluster(3) as cluster:
        away = cluster.follower()
        first = cluster.leader()
        first.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
        away.kill()
        insert(first, range(ROWS))
        wait_for(lambda: log_is_gone(cluster, away), 60, "the log to be dropped")
        away.start()
        wait_for(lambda: incoming(away) > 8 << 20, 60, "a snapshot to come")
        first.kill()
        # Two of three, one of them far behind, are a majority: the other leads, and sends its own.
        assert answer(away, "SELECT count(*) FROM t") == [(ROWS,)]
        assert TAKEN_OVER in away.log_text()
        first.start()
        cluster.leader()
        assert answer(first, "SELECT count(*) FROM t") == [(ROWS,)]


main()
