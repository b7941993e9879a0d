"""Operating a cluster: nodes restarted, added, replaced and removed under load; leadership handed
over; recovery from a lost majority; the consistency check."""
import os
import re
import shutil
import subprocess
import threading
import time

import grpc

from harness import BUILD, SLOW, TOYDB, Cluster, SqlError, main, pb, popen, raises, run, test, wait_for


ALTER = os.path.join(BUILD, "tests", "e2e", "alter")


class Load:
    """`toydb workload` beside what a test does."""

    def __init__(self, cluster, kind="write", clients=8, arguments=()):
        self.process = popen([TOYDB, "workload", kind, "-H", cluster.addresses, "-c", str(clients),
                              "--seconds", "1000", *arguments],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
        self.lines = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        wait_for(lambda: self.lines, 20, "the load to begin")

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.decode().rstrip())

    def go_on(self, seconds):
        """Lets it work for so long: it prints a line a second."""
        count = len(self.lines) + seconds
        wait_for(lambda: len(self.lines) >= count or self.process.poll() is not None,
                 seconds + 20, "the load to go on")

    def end(self):
        """Stops it; everything acknowledged must be there, and nothing may have failed."""
        self.process.send_signal(2)
        code = self.process.wait(60 * SLOW)
        self.reader.join(10)
        text = "\n".join(self.lines)
        assert code == 0 and "verified" in text, text
        done, errors = re.search(r"^([\d,]+) \w+ by .*errors (\d+)", text, re.M).groups()
        print(f"# {self.lines[-3]}")
        assert errors == "0", text
        return int(done.replace(",", ""))


def status_line(result):
    """What a command printed, which must have gone well."""
    code, out, error = result
    assert code == 0, out + error
    return out


def voters(cluster):
    states = [node.status() for node in cluster.alive()]
    lists = [sorted(n.id for n in state.nodes if n.voter) for state in states if state]
    return lists[0] if lists and all(one == lists[0] for one in lists) else None


def rolling_restart(cluster, load):
    for node in cluster.nodes:
        load.go_on(1)
        led = cluster.leader() is node
        started = time.monotonic()
        assert node.stop() == 0, node.log_text()
        took = time.monotonic() - started
        print(f"# node {node.id}{' (leader)' if led else ''} stopped in {took:.2f} s")
        assert took < 8 * SLOW
        if led:
            assert "handing leadership over" in node.log_text()
        node.start()
        cluster.leader()
    load.go_on(1)


@test
def rolling_restart_under_writes():
    with Cluster() as cluster:
        load = Load(cluster)
        rolling_restart(cluster, load)
        assert load.end() > 50


@test
def rolling_restart_under_transactions():
    with Cluster() as cluster:
        load = Load(cluster, "bank", clients=4, arguments=["--rows", "20"])
        rolling_restart(cluster, load)
        assert load.end() > 20


class Caller(threading.Thread):
    """Calls Execute again and again on a channel of gRPC's own, which knows all addresses."""

    def __init__(self, cluster, number):
        super().__init__(daemon=True)
        self.channel = grpc.insecure_channel("ipv4:" + cluster.addresses, options=[
            ("grpc.use_local_subchannel_pool", 1), ("grpc.initial_reconnect_backoff_ms", 50),
            ("grpc.min_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200)])
        self.number, self.done, self.failed, self.over = number, 0, [], False

    def run(self):
        call = self.channel.unary_stream(
            "/ToyDB/Execute", request_serializer=pb.ExecuteRequest.SerializeToString,
            response_deserializer=pb.ExecuteResponse.FromString)
        while not self.over:
            sql = f"INSERT INTO calls VALUES ({self.number * 1000000 + self.done})"
            try:
                list(call(pb.ExecuteRequest(sql=sql), timeout=20 * SLOW, wait_for_ready=True))
                self.done += 1
            except grpc.RpcError as error:
                self.failed.append(f"{error.code()}: {error.details()}")
                return


@test
def plain_grpc_clients_are_sent_on():
    with Cluster(3) as cluster:
        cluster.leader().execute("CREATE TABLE calls (id INTEGER PRIMARY KEY)")
        callers = [Caller(cluster, number) for number in range(4)]
        for caller in callers:
            caller.start()
        for node in cluster.nodes:
            before = min(caller.done for caller in callers)
            wait_for(lambda: min(c.done for c in callers) > before + 20 or
                     any(c.failed for c in callers), 20, "the calls to go on")  # pylint: disable=W0640
            assert node.stop() == 0
            node.start()
            cluster.leader()
        for caller in callers:
            caller.over = True
        for caller in callers:
            caller.join(30 * SLOW)
            assert not caller.failed, caller.failed
        assert cluster.leader().rows("SELECT count(*) FROM calls") == [(sum(c.done for c in callers),)]
        print(f"# {sum(c.done for c in callers)} calls")


@test
def a_node_is_replaced_for_good():
    with Cluster() as cluster:
        load = Load(cluster, clients=4)
        gone = cluster.node(3)
        gone.kill()
        text = status_line(cluster.toydb("node", "remove", "3"))
        assert "node 3 is no member" in text and "4 nodes" in text, text
        new = cluster.join(6)
        wait_for(lambda: voters(cluster) == [1, 2, 4, 5, 6], 30, "node 6 to have a vote")
        load.go_on(1)
        # It counts: with it three of the five, without it two.
        cluster.nodes.remove(gone)
        others = [node for node in cluster.alive() if node not in (new, cluster.leader())]
        for node in others[:2]:
            assert node.stop() == 0
        assert cluster.leader()
        new.execute("CREATE TABLE here (id INTEGER PRIMARY KEY)")
        for node in others[:2]:
            node.start()
        cluster.leader()
        load.go_on(1)
        load.end()
        listed = status_line(cluster.toydb("node", "list"))
        assert new.address in listed and gone.address not in listed, listed


@test
def a_learner_is_promoted():
    with Cluster(3) as cluster:
        new = cluster.join(4, "--learner")
        wait_for(lambda: (state := new.status()) and any(n.id == 4 for n in state.nodes), 20,
                 "node 4 to be let in")
        cluster.nodes[0].execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        assert new.rows("SELECT * FROM t") == []
        assert voters(cluster) == [1, 2, 3]
        assert new.status().role == "learner"
        text = status_line(cluster.toydb("node", "promote", "4"))
        assert "node 4 is a member" in text and "with a vote" in text, text
        wait_for(lambda: voters(cluster) == [1, 2, 3, 4], 10, "the promotion")


@test
def leadership_is_transferred():
    with Cluster(3) as cluster:
        leader = cluster.leader()
        other = next(node for node in cluster.nodes if node is not leader)
        text = status_line(cluster.toydb("transfer-leader", str(other.id)))
        assert f"node {other.id} leads" in text, text
        assert cluster.leader() is other
        status_line(cluster.toydb("transfer-leader"))
        assert cluster.leader() is not other
        code, _, error = cluster.toydb("transfer-leader", "9")
        assert code == 1 and "9" in error and len(error.splitlines()) <= 2, error


@test
def a_removed_node_stops_by_itself():
    with Cluster(5) as cluster:
        leader = cluster.leader()
        leader.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        follower = next(node for node in cluster.nodes if node is not leader)
        for node in (follower, leader):
            status_line(cluster.toydb("node", "remove", str(node.id)))
            assert node.exit_code() == 1, node.log_text()
            assert "removed" in node.log_text().splitlines()[-1] or \
                "removed" in node.log_text(), node.log_text()
        assert len(voters(cluster)) == 3
        cluster.leader().execute("INSERT INTO t VALUES (1)")
        # Its directory knows: it does not start again.
        follower.start()
        assert follower.exit_code() == 1
        assert "removed" in follower.log_text()


@test
def a_lost_directory_under_the_same_id_is_refused():
    with Cluster(3) as cluster:
        node = cluster.follower()
        node.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        node.kill()
        shutil.rmtree(node.dir)
        node.start()
        assert node.exit_code() == 1, node.log_text()
        text = node.log_text()
        assert f"node {node.id} of this cluster has another data directory" in text, text
        assert f"remove node {node.id} from the cluster" in text and "--join" in text, text
        # As it says: removed, and let in again, with an empty directory.
        status_line(cluster.toydb("node", "remove", str(node.id)))
        assert len(voters(cluster)) == 2
        shutil.rmtree(node.dir)
        node.extra = ["--join", ",".join(other.address for other in cluster.alive())]
        node.start()
        wait_for(lambda: voters(cluster) == [1, 2, 3], 30, "it to have a vote")
        assert node.rows("SELECT * FROM t") == []


@test
def a_member_moves_to_another_address():
    with Cluster(3) as cluster:
        node = cluster.follower()
        node.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        assert node.stop() == 0
        cluster.nodes.remove(node)
        moved = cluster.join(9)  # only for a free port
        moved.kill()
        moved.id, moved.dir, moved.extra = node.id, node.dir, []
        moved.disconnect()
        cluster.toydb("node", "remove", "9")  # which fails unless it was let in before it died
        moved.start()

        def known():
            state = cluster.nodes[0].status()
            return state and any(n.id == node.id and n.address == moved.address and
                                 n.role == "follower" for n in state.nodes)
        wait_for(known, 20, "its new address to be known")
        moved.execute("INSERT INTO t VALUES (1)")


@test
def a_cluster_grows_from_one_node():
    with Cluster(1, start=False) as cluster:
        first = cluster.nodes[0]
        first.extra = []
        cluster.start()
        first.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        # Alone it may move, too.
        place, = Cluster(1, start=False).nodes
        assert first.stop() == 0
        first.address = place.address
        first.start()
        wait_for(lambda: (s := first.status()) and s.nodes[0].address == first.address, 10,
                 "its new address")
        for number in (2, 3):
            cluster.join(number)
            wait_for(lambda: len(voters(cluster) or []) == number, 20, "its vote")  # pylint: disable=W0640
        first.kill()
        cluster.leader()
        cluster.node(2).execute("INSERT INTO t VALUES (1)")
        first.start()
        cluster.leader()
        assert first.rows("SELECT * FROM t") == [(1,)]


@test
def a_cluster_moves_as_a_whole():
    with Cluster(3) as cluster, Cluster(3, start=False) as there:
        cluster.nodes[0].execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        for node in cluster.nodes:
            assert node.stop() == 0
        for node, place in zip(cluster.nodes, there.nodes):
            place.dir = node.dir
        there.start()
        there.nodes[1].execute("INSERT INTO t VALUES (1)")

        def known():
            states = [node.status() for node in there.nodes]
            return all(state and [n.address for n in sorted(state.nodes, key=lambda n: n.id)] ==
                       [node.address for node in there.nodes] for state in states)
        wait_for(known, 20, "the new addresses to be known")
        for node in there.nodes:
            node.extra = []
            assert node.stop() == 0
            node.start()
            there.leader()
        assert there.nodes[0].rows("SELECT * FROM t") == [(1,)]


@test
def no_flags_are_needed_after_the_first_start():
    with Cluster(3) as cluster:
        cluster.nodes[0].execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        for node in cluster.nodes:
            assert node.stop() == 0
        for node in cluster.nodes:
            node.extra = []
            node.start()
        cluster.leader()
        assert cluster.nodes[1].rows("SELECT * FROM t") == []


@test
def an_open_transaction_ends_before_its_node_does():
    with Cluster(3, start=False) as cluster:
        for node in cluster.nodes:
            node.extra = ["--peers", cluster.peers, "--drain", "3"]
        cluster.start()
        node = cluster.leader()
        node.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        session = node.session()
        session.execute("BEGIN")
        session.execute("INSERT INTO t VALUES (1)")
        left = node.session()
        left.execute("BEGIN")
        left.execute("INSERT INTO t VALUES (2)")
        node.process.terminate()
        wait_for(lambda: "handing leadership over" in node.log_text(), 10, "the signal to arrive")
        session.execute("INSERT INTO t VALUES (3)")
        session.execute("COMMIT")
        assert node.process.wait(20 * SLOW) == 0
        try:
            left.execute("COMMIT")
        except (grpc.RpcError, AssertionError) as error:
            assert not isinstance(error, grpc.RpcError) or (
                error.code() == grpc.StatusCode.UNAVAILABLE and
                "the open transaction is rolled back" in error.details()), error
        other = cluster.follower()
        assert other.rows("SELECT id FROM t ORDER BY id") == [(1,), (3,)]


@test
def the_cluster_is_checked():
    with Cluster(3) as cluster:
        cluster.leader().execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        load = Load(cluster, clients=2)
        for _ in range(3):
            text = status_line(cluster.toydb("check", "--cluster"))
            assert text.count("agrees") == 3 and "all 3 nodes hold the same" in text, text
        load.end()
        cluster.follower().kill()
        code, out, error = cluster.toydb("check", "--cluster", "--timeout", "30")
        assert code == 1 and out.count("agrees") == 2 and out.count("no answer") == 1, out + error


@test
def the_odd_one_out_is_named_and_quarantined():
    with Cluster(3) as cluster:
        cluster.leader().execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
        cluster.leader().execute("INSERT INTO t VALUES (1, 'truthful')")
        odd = cluster.follower()
        assert odd.rows("SELECT name FROM t") == [("truthful",)]
        assert odd.stop() == 0
        assert run([ALTER, os.path.join(odd.dir, "data.toydb"), "truthful", "deceived"])[0] == 0
        odd.start()
        cluster.leader()
        assert odd.rows("SELECT name FROM t") == [("deceived",)]
        code, out, error = cluster.toydb("check", "--cluster")
        assert code == 1 and "1 of 3 nodes differs" in out, out + error
        line = next(line for line in out.splitlines() if "DIFFERS" in line)
        assert line.split("|")[0].strip() == str(odd.id), out
        assert odd.exit_code() == 1
        assert "holds other data than the majority" in odd.log_text(), odd.log_text()
        odd.start()
        assert odd.exit_code() == 1 and "is in quarantine" in odd.log_text(), odd.log_text()
        assert cluster.leader().rows("SELECT name FROM t") == [("truthful",)]
        # Replaced, as the message says.
        status_line(cluster.toydb("node", "remove", str(odd.id)))
        cluster.nodes.remove(odd)
        new = cluster.join(4)
        wait_for(lambda: 4 in (voters(cluster) or []), 30, "node 4 to have a vote")
        assert new.rows("SELECT name FROM t") == [("truthful",)]
        text = status_line(cluster.toydb("check", "--cluster"))
        assert text.count("agrees") == 3, text


@test
def a_lost_majority_is_recovered_from():
    with Cluster() as cluster:
        cluster.leader().execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
        for number in range(20):
            cluster.nodes[number % 5].execute(f"INSERT INTO t VALUES ({number}, 'row')")
        wait_for(lambda: len({node.rows("SELECT count(*) FROM t")[0] for node in cluster.nodes}) == 1,
                 10, "all to have it")
        for node in cluster.nodes:
            node.process.kill()
        for node in cluster.nodes:
            node.kill()
        for node in cluster.nodes[:3]:
            shutil.rmtree(node.dir)
        survivor, other = cluster.nodes[3:]
        # While two of five run they say what they have, and do nothing else.
        survivor.start()
        other.start()
        state = wait_for(lambda: survivor.status() and other.status() and survivor.status(), 10,
                         "the survivors to answer")
        assert state.leader == 0 and state.last_log_index > 20
        with raises("57P03"):
            survivor.execute("SELECT 1 FROM t")
        assert other.stop() == 0 and survivor.stop() == 0
        recover = [TOYDB, "recover", "--id", "4", "--listen", survivor.address, "--data"]
        code, _, error = run(recover + [other.dir])
        assert code == 1 and "belongs to node 5" in error, error
        text = status_line(run(recover + [survivor.dir]))
        assert f"toydb start --id 4 --data {survivor.dir} --listen {survivor.address}" in text, text
        survivor.extra = []
        survivor.start()
        assert wait_for(lambda: (s := survivor.status()) and s.leader == 4 and s, 20, "it to lead")
        assert survivor.rows("SELECT count(*) FROM t") == [(20,)]
        assert [n.id for n in survivor.status().nodes] == [4]
        # The rest of the old cluster is refused; new nodes join.
        cluster.nodes = [survivor]
        for number in (6, 7):
            cluster.join(number)
        wait_for(lambda: voters(cluster) == [4, 6, 7], 30, "two more to have a vote")
        assert cluster.node(7).rows("SELECT count(*) FROM t") == [(20,)]
        other.start()
        wait_for(other.status, 10, "the old node to answer")
        cluster.node(6).execute("INSERT INTO t VALUES (100, 'after')")
        with raises("57P03"):
            other.execute("SELECT 1 FROM t")
        other.kill()


@test
def what_the_commands_refuse():
    with Cluster(3) as cluster:
        cluster.leader()
        for arguments, code, said in [
                (["node"], 64, "list, add, remove or promote"),
                (["node", "delete", "3"], 64, "unknown command"),
                (["node", "remove"], 64, "which node"),
                (["node", "remove", "x"], 64, "is not the number"),
                (["node", "add", "4"], 64, "HOST:PORT"),
                (["node", "add", "4", "nowhere"], 1, "host:port"),
                (["node", "promote", "9"], 1, "no node 9"),
                (["node", "remove", "77"], 1, "never had"),
                (["node", "remove", "3", "--cluster"], 64, "--cluster"),
                (["transfer-leader", "1", "2"], 64, "unexpected"),
                (["check"], 64, "--cluster")]:
            result = cluster.toydb(*arguments)
            assert result[0] == code and said in result[2], (arguments, result)
        assert run([TOYDB, "node", "list", "-H", "127.0.0.1:1"])[0] == 2
        # Asking again for what is so already is fine.
        for _ in range(2):
            status_line(cluster.toydb("node", "promote", "2"))
        for node in cluster.nodes[1:]:
            node.kill()
        # A leader that hears of nobody leads for two election timeouts, 2 s, at the most.
        result = cluster.toydb("node", "remove", "2", "--timeout", "6")
        assert result[0] == 1, result
        assert "no leader" in result[2] or "can be reached" in result[2], result


main()
