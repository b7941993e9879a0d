"""A node that was away until the others' logs had nothing for it any more."""
import os
import threading

import grpc

from harness import PATIENCE, Cluster, SqlError, main, test, wait_for

# Little log, so that 64 rows are more than it keeps.
os.environ.update(TOYDB_LOG_KEEP="1", TOYDB_LOG_KEEP_MAX="1")
# Who sends slowly sends the rows for a minute: what is to happen on the way does.
SLOWLY, QUICKLY = ["--snapshot-rate", "1"], ["--snapshot-rate", "64"]

ROWS = 64
TAKEN_OVER = "goes on from the snapshot at"


def insert(node, keys):
    """About a megabyte each."""
    for key in keys:
        node.execute(f"INSERT INTO t VALUES ({key}, repeat('{key:010}', 100000))")


def answer(node, sql):
    """What the node says once it has an answer."""
    def ask():
        try:
            return node.rows(sql)
        except (SqlError, grpc.RpcError):
            return None
    return wait_for(ask, f"node {node.id} to answer {sql}")


def drop_log(cluster, node, rows):
    """Inserts these until every log begins behind what was in any when it was called."""
    last = cluster.leader().state().last_log_index
    insert(node, rows)
    wait_for(lambda: all(each.state().first_log_index > last + 1 for each in cluster.alive()),
             "the log to be dropped")


def incoming(node):
    """Bytes of the snapshot that is being received."""
    try:
        return os.stat(os.path.join(node.dir, "data.toydb.incoming")).st_size
    except FileNotFoundError:
        return 0


class Writer(threading.Thread):
    """Small inserts through one node, one after another, until told to stop."""

    def __init__(self, node, key):
        super().__init__(daemon=True)
        self.node, self.key, self.acknowledged, self.problem, self.over = node, key, [], None, False
        self.start()

    def run(self):
        while not self.over:
            self.key += 1
            try:
                self.node.execute(f"INSERT INTO t VALUES ({self.key}, 'small')")
                self.acknowledged.append(self.key)
            except (SqlError, grpc.RpcError) as error:
                self.problem = error
                return

    def end(self):
        """What was acknowledged, which must be all."""
        self.over = True
        self.join(PATIENCE)
        assert not self.is_alive() and self.problem is None, self.problem
        return self.acknowledged


@test
def a_node_away_for_long_gets_a_snapshot():
    with Cluster(3, options=SLOWLY) as cluster:
        first, (away, third) = cluster.roles()
        first.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
        insert(first, range(2))
        assert answer(away, "SELECT count(*) FROM t") == [(2,)]
        away.kill()
        drop_log(cluster, first, range(2, ROWS))

        writer = Writer(first, 1000000)
        away.start()
        wait_for(lambda: incoming(away) > 1 << 20, "a snapshot to come")
        before = len(writer.acknowledged)
        wait_for(lambda: len(writer.acknowledged) > before + 10 or writer.problem,
                 "inserts beside the snapshot")
        # Killed in the middle, it begins again; what was received so far is of no use to it.
        away.kill()
        assert TAKEN_OVER not in away.log_text()
        acknowledged = set(writer.end())
        for node in first, third:
            node.kill()
            node.options = QUICKLY
        for node in first, third:
            node.start()
        cluster.leader()
        writer = Writer(first, 2000000)
        away.start()
        wait_for(lambda: TAKEN_OVER in away.log_text(), "the snapshot to be taken over")
        acknowledged.update(writer.end())

        every = "SELECT id, length(text) FROM t ORDER BY id"
        rows = answer(away, every)
        assert rows == first.rows(every)
        assert {row[0] for row in rows} == set(range(ROWS)) | acknowledged
        assert not incoming(away)
        state = away.state()
        assert state.applied_index >= state.first_log_index > 1
        # It can do what any node can, also after another restart.
        insert(away, [ROWS])
        away.kill()
        away.start()
        first.kill()
        cluster.leader()
        assert answer(away, "SELECT count(*) FROM t") == [(ROWS + 1 + len(acknowledged),)]
        print(f"# {len(acknowledged)} inserts meanwhile")


@test
def the_leader_dies_while_it_sends_one():
    with Cluster(3, start=False) as cluster:
        first, away, third = cluster.nodes
        first.options, away.options, third.options = SLOWLY, QUICKLY, QUICKLY
        cluster.start()
        first.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
        away.kill()
        drop_log(cluster, first, range(ROWS))
        cluster.lead(first)
        away.start()
        # Should another lead now after all, it may be done by the time one looks.
        wait_for(lambda: incoming(away) > 1 << 20 or TAKEN_OVER in away.log_text(), "a snapshot to come")
        first.kill()
        # Two of three, one of them far behind, are a majority: the other leads, and sends its own.
        assert answer(away, "SELECT count(*) FROM t") == [(ROWS,)]
        assert TAKEN_OVER in away.log_text()
        first.start()
        cluster.leader()
        assert answer(first, "SELECT count(*) FROM t") == [(ROWS,)]


main()
