"""The gRPC API as official clients see it."""
import os
import shutil
import subprocess

import grpc

from harness import PATIENCE, SOURCE, TOYDB, Cluster, Skip, main, pb, raises, request, run, test, wait_for

cluster = Cluster()
node = cluster.nodes[0]


@test
def status():
    node.execute("CREATE TABLE s (id INTEGER PRIMARY KEY)")

    def at_rest():
        """What all say of one term, with all connected, and with what was committed known to all."""
        states = [n.status() for n in cluster.nodes]
        if None in states or len({(s.term, s.leader, s.applied_index) for s in states}) != 1 or \
                any(m.role == "unreachable" for s in states for m in s.nodes):
            return None
        return states if states[0].leader else None
    states = wait_for(at_rest, "all nodes to agree")
    leader = cluster.node(states[0].leader)
    for n, state in zip(cluster.nodes, states):
        assert state.id == n.id
        assert state.version and state.time_us > 1.5e15 and state.uptime_us > 0
        assert state.term >= 1
        assert state.role == ("leader" if n is leader else "follower")
        assert [m.id for m in state.nodes] == [1, 2, 3, 4, 5]
        assert [m.address for m in state.nodes] == [m.address for m in cluster.nodes]
        assert [m.role for m in state.nodes].count("leader") == 1
        assert all(m.voter for m in state.nodes)
        assert len(state.cluster_id) == 32 and state.cluster_id == states[0].cluster_id
        assert 0 < state.applied_index <= state.commit_index <= state.last_log_index
        assert state.storage.kv_file_bytes >= state.storage.kv_used_bytes > 0
        assert state.storage.log_bytes > 0


@test
def status_of_a_dead_node():
    victim = cluster.follower()
    victim.kill()
    other = cluster.leader()
    wait_for(lambda: other.state().nodes[victim.id - 1].role == "unreachable", "it to be missed")
    victim.start()
    wait_for(lambda: other.state().nodes[victim.id - 1].role in ("follower", "leader"), "its return")


@test
def values_of_every_type():
    result = node.execute("SELECT true, 42, -9223372036854775807, 1.5::double precision, 'ä''b', NULL")
    assert result.rows == [(True, 42, -9223372036854775807, 1.5, "ä'b", None)], result.rows
    assert [kind for _, kind in result.columns][:5] == [
        pb.TYPE_BOOLEAN, pb.TYPE_INTEGER, pb.TYPE_INTEGER, pb.TYPE_DOUBLE, pb.TYPE_TEXT]
    node.execute("CREATE TABLE v (id INTEGER PRIMARY KEY, b BOOLEAN, d DOUBLE PRECISION, s TEXT)")
    rows = [(1, True, 0.1, "x"), (2, False, -1e300, ""), (3, None, None, None), (4, True, 0.0, "é\n\t'\"")]
    for row in rows:
        node.execute("INSERT INTO v VALUES ($1, $2, $3, $4)", row)
    assert cluster.nodes[3].rows("SELECT * FROM v ORDER BY id") == rows
    with raises("42P02", "08P01", "42601", "22023", "07001"):
        node.execute("SELECT $2", [1])


@test
def several_statements():
    result = node.execute("CREATE TABLE m (id INTEGER PRIMARY KEY); INSERT INTO m VALUES (1), (2);"
                          "SELECT count(*) FROM m")
    assert result.tags == ["CREATE TABLE", "INSERT 0 2", "SELECT 1"], result.tags
    assert result.rows == [(2,)]
    with raises("23505"):
        node.execute("INSERT INTO m VALUES (3); INSERT INTO m VALUES (1); INSERT INTO m VALUES (4)")
    assert cluster.nodes[1].rows("SELECT id FROM m ORDER BY id") == [(1,), (2,), (3,)]
    with raises("23505"):
        node.execute("BEGIN; INSERT INTO m VALUES (5); INSERT INTO m VALUES (1); COMMIT")
    node.execute("BEGIN; INSERT INTO m VALUES (6)")  # the text ends: rolled back
    assert cluster.nodes[1].rows("SELECT count(*) FROM m") == [(3,)]


@test
def codes_of_errors():
    code = grpc.StatusCode
    for sql, sqlstate, expected in [
            ("SELEC 1", "42601", code.INVALID_ARGUMENT),
            ("SELECT 1/0", "22012", code.INVALID_ARGUMENT),
            ("COPY s FROM STDIN", "08P01", code.INVALID_ARGUMENT),
            ("CREATE TABLE s (id INTEGER PRIMARY KEY)", "42P07", code.ALREADY_EXISTS),
            ("INSERT INTO v (id) VALUES (1)", "23505", code.ALREADY_EXISTS),
            ("INSERT INTO v (id) VALUES (NULL)", "23502", code.FAILED_PRECONDITION)]:
        with raises(sqlstate) as error:
            node.execute(sql)
        assert error.value.status == expected, (sql, error.value.status)


@test
def a_large_result():
    node.execute("CREATE TABLE big (id INTEGER PRIMARY KEY, text TEXT)")
    for start in range(0, 20000, 2000):
        node.execute("INSERT INTO big VALUES " + ",".join(
            f"({n}, 'row number {n}')" for n in range(start, start + 2000)))
    rows = cluster.nodes[2].rows("SELECT id, text FROM big ORDER BY id")
    assert rows == [(n, f"row number {n}") for n in range(20000)]
    rows = cluster.nodes[2].rows("SELECT a.id FROM big a CROSS JOIN s")
    assert rows == []


@test
def large_values():
    """More in one result than a message may have, and no message above what clients take unasked."""
    channel = grpc.insecure_channel(node.address)
    call = channel.unary_stream(
        "/ToyDB/Execute", request_serializer=pb.ExecuteRequest.SerializeToString,
        response_deserializer=pb.ExecuteResponse.FromString)(
            request("SELECT x, repeat('ab', 500000) FROM generate_series(1, 100) AS g (x)"),
            timeout=PATIENCE)
    rows = [row for response in call for row in response.rows.rows]
    assert len(rows) == 100 and all(len(row.values[1].text) == 1000000 for row in rows)
    channel.close()


@test
def many_sessions():
    sessions = [cluster.nodes[n % 5].session() for n in range(100)]
    for session in sessions:
        session.send("SELECT count(*) FROM big")
    for session in sessions:
        assert session.receive().rows == [(20000,)]
    assert node.state().sessions >= 20
    for session in sessions:
        session.close()
    wait_for(lambda: node.state().sessions == 0, "sessions to be gone")


@test
def status_command():
    code, out, err = run([TOYDB, "status", "-H", cluster.addresses])
    assert code == 0 and not err, (code, err)
    for n in cluster.nodes:
        assert n.address in out, out
    assert "leader" in out and "follower" in out
    code, out, err = run([TOYDB, "status", "-H", "127.0.0.1:1"])
    assert code == 2 and not out and err


def grpcurl():
    """Built from its source where a Go toolchain and its modules can be had."""
    found = shutil.which("grpcurl")
    if found:
        return found
    go = shutil.which("go")
    if not go:
        raise Skip("neither grpcurl nor go is installed")
    cache = os.path.join(os.path.expanduser("~"), ".cache", "toydb-tests")
    program = os.path.join(cache, "grpcurl")
    if not os.path.exists(program):
        try:
            done = subprocess.run([go, "install", "github.com/fullstorydev/grpcurl/cmd/grpcurl@latest"],
                                  env={**os.environ, "GOBIN": cache}, check=False, timeout=200,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        except subprocess.TimeoutExpired:
            raise Skip("grpcurl takes too long to build") from None
        if done.returncode != 0:
            raise Skip("grpcurl could not be built: " + done.stderr.decode()[-200:].replace("\n", " "))
    return program


@test
def grpcurl_as_the_plan_has_it():
    program = grpcurl()
    base = [program, "-plaintext", "-proto", "protobuf/toydb.proto"]
    code, out, err = run(base + [cluster.nodes[4].address.replace("127.0.0.1", "localhost"),
                                 "ToyDB/Status"], cwd=SOURCE)
    assert code == 0 and '"id": 5' in out and '"leader"' in out, (code, out, err)
    code, out, err = run(base + ["-d", '{"sql": "SELECT 1 + 1 AS two"}', cluster.nodes[4].address,
                                 "ToyDB/Execute"], cwd=SOURCE)
    assert code == 0 and '"two"' in out and '"integer": "2"' in out, (code, out, err)
    code, out, err = run(base + ["-d", '{"sql": "SELEC"}', cluster.nodes[4].address, "ToyDB/Execute"],
                         cwd=SOURCE)
    assert code != 0 and "InvalidArgument" in err and "42601" in err, (code, out, err)


@test
def a_method_that_is_none():
    try:
        node.connect().unary_unary("/ToyDB/Nothing")(b"", timeout=PATIENCE)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNIMPLEMENTED, error
    else:
        raise AssertionError("it was answered")


with cluster:
    main()
