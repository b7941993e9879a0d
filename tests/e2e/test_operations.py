"""Operating a cluster: nodes restarted, added, replaced and removed under load; leadership handed
over; recovery from a lost majority; the consistency check."""
import os
import re
import shutil
import subprocess
import threading
import time

import grpc

from harness import (BUILD, PATIENCE, TOYDB, Cluster, Node, free_ports, main, pb, popen, raises, run, test,
                     wait_for)


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
        wait_for(lambda: self.lines, "the load to begin")

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.decode().rstrip())

    def done(self):
        """Operations, of the seconds it has told of."""
        rates = (re.match(r" *\d+ s +([\d,]+)/s ", line) for line in list(self.lines))
        return sum(int(rate.group(1).replace(",", "")) for rate in rates if rate)

    def go_on(self, operations=20):
        """Lets it do so many more."""
        count = self.done() + operations
        wait_for(lambda: self.done() >= count or self.process.poll() is not None, "the load to go on")

    def end(self):
        """Stops it; everything acknowledged must be there, and nothing may have failed."""
        self.process.send_signal(2)
        code = self.process.wait(PATIENCE)
        self.reader.join()
        text = "\n".join(self.lines)
        assert code == 0 and "verified" in text, text
        errors = re.search(r"^[\d,]+ \w+ by .*errors (\d+)", text, re.M).group(1)
        print(f"# {self.lines[-3]}")
        assert errors == "0", text


def status_line(result):
    """What a command printed, which must have gone well."""
    code, out, error = result
    assert code == 0, out + error
    return out


def voters_are(cluster, *ids):
    """Waits until all that run know these to be the voters."""
    def known():
        states = [node.status() for node in cluster.alive()]
        return None not in states and all(
            sorted(n.id for n in state.nodes if n.voter) == list(ids) for state in states)
    wait_for(known, f"the voters to be {ids}")


def led_when_stopped(node):
    """Whether the node, by its own log, was the leader when it was told to stop."""
    before, _ = node.log_text().rsplit("stopping on signal", 1)
    return re.findall(rf"node {node.id}: (\w+) in term", before)[-1:] == ["leader"]


def rolling_restart(cluster, load):
    """The nodes in turn, then whoever leads, until one was stopped that did when the signal came."""
    turns = list(cluster.nodes)
    led_once = False
    while turns or not led_once:
        node = turns.pop(0) if turns else cluster.leader()
        load.go_on()
        started = time.monotonic()
        assert node.stop() == 0, node.log_text()  # with all the time they want clients would be missed
        took = time.monotonic() - started
        led = led_when_stopped(node)
        led_once = led_once or led
        print(f"# node {node.id}{' (leader)' if led else ''} stopped in {took:.2f} s")
        if led:
            assert "handing leadership over" in node.log_text()
        node.start()
        cluster.leader()
    load.go_on()


# Longer than anything is waited for: who stops in good order does so because its clients have gone.
UNDRAINED = ["--drain", "3600"]


@test
def rolling_restart_under_writes():
    with Cluster(options=UNDRAINED) as cluster:
        load = Load(cluster)
        rolling_restart(cluster, load)
        load.end()


@test
def rolling_restart_under_transactions():
    with Cluster(options=UNDRAINED) as cluster:
        load = Load(cluster, "bank", clients=4, arguments=["--rows", "20"])
        rolling_restart(cluster, load)
        load.end()


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
                list(call(pb.ExecuteRequest(sql=sql), timeout=PATIENCE, wait_for_ready=True))
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
                     any(c.failed for c in callers), "the calls to go on")  # pylint: disable=W0640
            assert node.stop() == 0
            node.start()
            cluster.leader()
        for caller in callers:
            caller.over = True
        for caller in callers:
            caller.join(PATIENCE)
            assert not caller.is_alive() and not caller.failed, caller.failed
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
        voters_are(cluster, 1, 2, 4, 5, 6)
        load.go_on()
        # It counts: with it three of the five, without it two.
        cluster.nodes.remove(gone)
        others = [node for node in cluster.roles()[1] if node is not new]
        for node in others[:2]:
            assert node.stop() == 0
        cluster.leader()
        new.execute("CREATE TABLE here (id INTEGER PRIMARY KEY)")
        for node in others[:2]:
            node.start()
        cluster.leader()
        load.go_on()
        load.end()
        listed = status_line(cluster.toydb("node", "list"))
        assert new.address in listed and gone.address not in listed, listed


@test
def a_learner_is_promoted():
    with Cluster(3) as cluster:
        new = cluster.join(4, "--learner")
        wait_for(lambda: any(n.id == 4 for n in new.state().nodes), "node 4 to be let in")
        cluster.nodes[0].execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        assert new.rows("SELECT * FROM t") == []
        voters_are(cluster, 1, 2, 3)
        assert new.state().role == "learner"
        text = status_line(cluster.toydb("node", "promote", "4"))
        assert "node 4 is a member" in text and "with a vote" in text, text
        voters_are(cluster, 1, 2, 3, 4)


def transferred(cluster, named):
    """Has leadership handed over: what was said, who led, to whom it was to go, who leads. Once more if
    there was an election besides the one: then it says nothing."""
    for _ in range(20):
        before, term = cluster.led()
        wanted = next(node for node in cluster.nodes if node is not before)
        text = status_line(cluster.toydb("transfer-leader", *([str(wanted.id)] if named else [])))
        after, later = cluster.led()
        if later == term + 1:
            return text, before, wanted, after
        print(f"# terms {term} to {later}")
    raise AssertionError("it takes more than one election")


@test
def leadership_is_transferred():
    with Cluster(3) as cluster:
        text, before, wanted, after = transferred(cluster, named=True)
        assert f"node {wanted.id} leads" in text and after is wanted, (text, after.id)
        text, before, _, after = transferred(cluster, named=False)
        assert after is not before, text
        code, _, error = cluster.toydb("transfer-leader", "9")
        assert code == 1 and "9" in error and len(error.splitlines()) <= 2, error


@test
def a_removed_node_stops_by_itself():
    with Cluster(5) as cluster:
        leader, (follower, *_) = cluster.roles()
        leader.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        for node in (follower, leader):
            status_line(cluster.toydb("node", "remove", str(node.id)))
            assert node.exit_code() == 1, node.log_text()
            assert "removed" in node.log_text(), node.log_text()
        voters_are(cluster, *sorted(node.id for node in cluster.alive()))
        assert len(cluster.alive()) == 3
        cluster.leader().execute("INSERT INTO t VALUES (1)")
        # Its directory knows: it does not start again.
        os.truncate(follower.log, 0)
        follower.start()
        assert follower.exit_code() == 1
        assert "removed" in follower.log_text()


@test
def a_lost_directory_under_the_same_id_is_refused():
    with Cluster(3) as cluster:
        leader, (node, *_) = cluster.roles()
        node.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        # A founder's directory goes on record when it is first heard of.
        wait_for(lambda: all(member.uid for member in leader.state().nodes), "all to be on record")
        node.kill()
        shutil.rmtree(node.dir)
        node.start()
        assert node.exit_code() == 1, node.log_text()
        text = node.log_text()
        assert f"node {node.id} of this cluster has another data directory" in text, text
        assert f"remove node {node.id} from the cluster" in text and "--join" in text, text
        # As it says: removed, and let in again, with an empty directory.
        status_line(cluster.toydb("node", "remove", str(node.id)))
        voters_are(cluster, *sorted(other.id for other in cluster.alive()))
        shutil.rmtree(node.dir)
        node.extra = ["--join", ",".join(other.address for other in cluster.alive())]
        node.start()
        voters_are(cluster, 1, 2, 3)
        assert node.rows("SELECT * FROM t") == []


@test
def a_member_moves_to_another_address():
    with Cluster(3) as cluster:
        node = cluster.follower()
        node.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        assert node.stop() == 0
        cluster.nodes.remove(node)
        port, = free_ports(1)
        moved = Node(cluster, node.id, port, node.dir, [])
        cluster.nodes.append(moved)
        moved.start()

        def known():
            state = cluster.nodes[0].state()
            return any(n.id == node.id and n.address == moved.address and
                       n.role in ("follower", "leader") for n in state.nodes)
        wait_for(known, "its new address to be known")
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
        wait_for(lambda: first.state().nodes[0].address == first.address, "its new address")
        cluster.join(2)
        voters_are(cluster, 1, 2)
        cluster.join(3)
        voters_are(cluster, 1, 2, 3)
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
        wait_for(known, "the new addresses to be known")
        for node in there.nodes:
            said = [line for line in node.log_text().splitlines() if "--peers" in line]
            assert len(said) == 1, said
            assert "--peers has other addresses for 2 of the other nodes" in said[0], said
            assert f"knows the cluster as {cluster.peers}" in said[0], said
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
    # Drained with all the time there is until it is told twice, or by itself when its time is over.
    for drain in "3600", "1":
        with Cluster(3, options=["--drain", drain]) as cluster:
            node = cluster.leader()
            node.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
            left = node.session()
            left.execute("BEGIN")
            left.execute("INSERT INTO t VALUES (2)")
            session = node.session()
            session.execute("BEGIN")
            session.execute("INSERT INTO t VALUES (1)")
            node.process.terminate()
            if drain == "3600":
                wait_for(lambda: "stopping on signal" in node.log_text(), "the signal to arrive")  # pylint: disable=W0640
                session.execute("INSERT INTO t VALUES (3)")
                session.execute("COMMIT")
                node.process.terminate()
            assert node.exit_code() == 0
            try:
                left.receive()  # without a COMMIT: writing to who has gone might be noticed first
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.UNAVAILABLE, error
                assert "the open transaction is rolled back" in error.details(), error
            else:
                raise AssertionError("an answer that nobody asked for")
            rows = cluster.leader().rows("SELECT id FROM t ORDER BY id")
            assert rows == ([(1,), (3,)] if drain == "3600" else []), rows


def everybody_is_connected(cluster):
    """A node that cannot be reached is not waited for by a check."""
    wait_for(lambda: all(member.role != "unreachable" for node in cluster.alive()
                         for member in node.state().nodes), "all to be connected")


@test
def the_cluster_is_checked():
    with Cluster(3) as cluster:
        cluster.leader().execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        load = Load(cluster, clients=2)
        for _ in range(3):
            everybody_is_connected(cluster)
            text = status_line(cluster.toydb("check", "--cluster"))
            assert text.count("agrees") == 3 and "all 3 nodes hold the same" in text, text
        load.end()
        silent = cluster.follower()
        silent.kill()
        code, out, error = cluster.toydb("check", "--cluster")
        assert code == 1 and out.count("agrees") == 2 and out.count("no answer") == 1, out + error
        assert "the 2 nodes that answered hold the same" in out, out
        assert f"node {silent.id} did not answer" in out, out


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
        everybody_is_connected(cluster)
        code, out, error = cluster.toydb("check", "--cluster")
        assert code == 1 and f"node {odd.id} differs from the others" in out, out + error
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
        voters_are(cluster, *sorted(node.id for node in cluster.nodes))
        assert new.rows("SELECT name FROM t") == [("truthful",)]
        everybody_is_connected(cluster)
        text = status_line(cluster.toydb("check", "--cluster"))
        assert text.count("agrees") == 3, text


@test
def a_lost_majority_is_recovered_from():
    with Cluster() as cluster:
        cluster.leader().execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
        for number in range(20):
            cluster.nodes[number % 5].execute(f"INSERT INTO t VALUES ({number}, 'row')")
        first = cluster.nodes[0]

        def in_all_logs():
            cluster.lead(first)  # of the others the leader knows what they have on disk
            state = first.state()
            return all(member.match_index == state.last_log_index for member in state.nodes)
        wait_for(in_all_logs, "all to have it on disk")
        for node in cluster.nodes:
            node.process.kill()
        for node in cluster.nodes:
            node.kill()
        for node in cluster.nodes[:3]:
            shutil.rmtree(node.dir)
        survivor, other = cluster.nodes[3:]
        survivor.options = other.options = ["--quorum-timeout", "2"]
        # While two of five run they say what they have, and do nothing else.
        survivor.start()
        other.start()
        other.state()
        state = survivor.state()
        assert state.leader == 0 and state.last_log_index > 20
        with raises("57P03"):
            survivor.execute("SELECT 1 FROM t")
        assert other.stop() == 0 and survivor.stop() == 0
        recover = [TOYDB, "recover", "--id", "4", "--listen", survivor.address, "--data"]
        code, _, error = run(recover + [other.dir])
        assert code == 1 and "belongs to node 5" in error, error
        text = status_line(run(recover + [survivor.dir]))
        assert f"toydb start --id 4 --data {survivor.dir} --listen {survivor.address}" in text, text
        survivor.extra, survivor.options = [], []
        survivor.start()
        wait_for(lambda: survivor.state().leader == 4, "it to lead")
        assert survivor.rows("SELECT count(*) FROM t") == [(20,)]
        assert [n.id for n in survivor.state().nodes] == [4]
        # The rest of the old cluster is refused; new nodes join.
        cluster.nodes = [survivor]
        for number in (6, 7):
            cluster.join(number)
        voters_are(cluster, 4, 6, 7)
        assert cluster.node(7).rows("SELECT count(*) FROM t") == [(20,)]
        other.start()
        other.state()
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
        wait_for(lambda: cluster.nodes[0].state().leader == 0, "the lack of a quorum to be noticed")

        def says_why():
            code, out, error = cluster.toydb("node", "remove", "2", "--timeout", "1")
            assert code == 1 and not out, (code, out, error)
            # Of a node that is held up for longer than that the command can only say so.
            assert "no leader was found in time" in error or "has not answered in time" in error, error
            return "no leader" in error
        wait_for(says_why, "the node to say why")


main()
