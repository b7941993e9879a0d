"""Bad input: each gives a clear error with its SQLSTATE, and the node goes on."""
import os
import re
import socket
import tempfile

import grpc

from harness import PATIENCE, TOYDB, TOYSQL, Cluster, main, pb, raises, run, scratch, test

cluster = Cluster(nodes=3)
node = cluster.nodes[0]
node.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, short VARCHAR(5), long TEXT)")
node.execute("CREATE TABLE k (name TEXT PRIMARY KEY)")


def goes_on():
    assert all(n.alive() for n in cluster.nodes), "a node has died"
    assert node.rows("SELECT 1") == [(1,)]


def raw_execute(raw):
    """Sends these bytes as an ExecuteRequest; the Error message, and the status of the call."""
    call = node.connect().unary_stream("/ToyDB/Execute", request_serializer=lambda b: b,
                                       response_deserializer=pb.ExecuteResponse.FromString)(
                                           raw, timeout=PATIENCE)
    error = None
    try:
        for response in call:
            if response.WhichOneof("message") == "error":
                error = response.error
    except grpc.RpcError as status:
        return error, status
    raise AssertionError("no error")


def raw_sql(text):
    """An ExecuteRequest whose field `sql` has these bytes."""
    size, head = len(text), b"\x0a"
    while size >= 128:
        head, size = head + bytes([size & 127 | 128]), size >> 7
    return head + bytes([size]) + text


@test
def ten_megabytes_of_sql():
    sql = "SELECT '" + "x" * (10 << 20) + "'"
    error, status = raw_execute(raw_sql(sql.encode()))
    assert status.code() == grpc.StatusCode.INVALID_ARGUMENT, status
    if error is not None:
        assert error.sqlstate.startswith("54"), error
    goes_on()
    with tempfile.NamedTemporaryFile("w", dir=scratch) as file:
        file.write(sql)
        file.flush()
        code, out, err = cluster.toysql("-f", file.name)
    assert code == 1 and out == "" and 0 < len(err) < 2000, (code, out[:200], err[:2000])
    goes_on()


@test
def invalid_utf8():
    for text in [b"SELECT '\xff'", b"SELECT '\xc3'", b"SELECT '\xed\xa0\x80'", b"\xff"]:
        error, status = raw_execute(raw_sql(text))
        assert status.code() == grpc.StatusCode.INVALID_ARGUMENT, status
        assert error is not None and error.sqlstate == "22021", error
    code, out, err = cluster.toysql(stdin=b"SELECT '\xff';\n")
    assert code == 1 and "22021" in err, (code, out, err)
    goes_on()


@test
def nul():
    """Nothing runs of a text with a NUL character, least of all what stands before it."""
    node.execute("INSERT INTO t VALUES (201, 'a', 'b'), (202, 'a', 'b')")
    sql = "DELETE FROM t\0 WHERE id = 201"
    for request in [pb.ExecuteRequest(sql=sql), pb.ExecuteRequest(sql="SELECT 1 \0"),
                    pb.ExecuteRequest(sql="DELETE FROM t WHERE short = $1",
                                      parameters=[pb.Value(text="a\0b")])]:
        error, status = raw_execute(request.SerializeToString())
        assert status.code() == grpc.StatusCode.INVALID_ARGUMENT, status
        assert error is not None and error.sqlstate == "22021", error
    code, out, err = cluster.toysql(stdin=f"SELECT 7;\n{sql};\nSELECT 8;\n".encode())
    assert code == 1 and "22021" in err and "LINE 2" in err and "7" in out, (code, out, err)
    code, out, err = cluster.toysql(stdin=sql.encode())
    assert code == 1 and "22021" in err and not out, (code, out, err)
    assert node.rows("SELECT id FROM t WHERE id > 200 ORDER BY id") == [(201,), (202,)]
    node.execute("DELETE FROM t WHERE id > 200")
    goes_on()


@test
def not_a_message():
    # Bytes drawn at random would be a message once in a thousand times: these begin with a field's
    # number that has no end.
    for raw in [b"\xff\xff\xff", b"\x0a\xff\xff\xff\xff\x7f", b"\xff" * 11 + os.urandom(100)]:
        _, status = raw_execute(raw)
        assert status.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL), status
    goes_on()


@test
def not_grpc():
    for garbage in [b"GET / HTTP/1.1\r\n\r\n", os.urandom(1000), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 999]:
        with socket.create_connection(("127.0.0.1", node.port), PATIENCE) as s:
            s.settimeout(PATIENCE)
            try:
                s.sendall(garbage)
                while s.recv(4096):
                    pass
            except ConnectionError:
                pass
    goes_on()


@test
def clients_of_other_protocols():
    """They are told in their own, whatever they begin with, and before the node says anything."""
    for first, said in [(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", rb"^HTTP/1.1 400 .*speaks gRPC"),
                        (b"\0\0\0\x10\0\x03\0\0user\0x\0\0", rb"^E\0.*SFATAL\0.*speaks gRPC and not the PostgreSQL"),
                        (b"\0\0\0\x08\x04\xd2\x16\x2f", rb"^N$")]:
        with socket.create_connection(("127.0.0.1", node.port), timeout=PATIENCE) as connection:
            connection.sendall(first)
            answer = b""
            while answer != b"N" and (got := connection.recv(4096)):
                answer += got
        assert re.search(said, answer, re.S), answer
    assert node.rows("SELECT 1") == [(1,)]


@test
def a_value_too_long():
    with raises("22001") as error:
        node.execute("INSERT INTO t VALUES (1, 'sixsix', '')")
    assert error.value.status == grpc.StatusCode.INVALID_ARGUMENT
    node.execute("INSERT INTO t VALUES (2, '', $1)", ["x" * 1000000])
    assert node.rows("SELECT length(long) FROM t WHERE id = 2") == [(1000000,)]
    goes_on()


@test
def a_key_too_long():
    node.execute("INSERT INTO k VALUES ($1)", ["k" * 500])
    for size in [1100, 5000, 100000]:
        with raises("54000") as error:
            node.execute("INSERT INTO k VALUES ($1)", ["k" * size])
        assert error.value.message, error.value
    assert node.rows("SELECT count(*) FROM k") == [(1,)]
    goes_on()


@test
def ten_thousand_parentheses():
    for sql in ["SELECT " + "(" * 10000 + "1" + ")" * 10000, "SELECT " + "(" * 10000,
                "SELECT " + "NOT " * 10000 + "true", "SELECT " + "-" * 1 + "(-" * 10000,
                "SELECT " + "(SELECT " * 10000,
                "SELECT " + "abs(" * 10000 + "1" + ")" * 10000]:
        with raises("54001", "42601") as error:
            node.execute(sql)
        assert error.value.message, error.value
    with raises("54001"):
        node.execute("SELECT " + "(" * 10000 + "1" + ")" * 10000)
    long = "SELECT " + "+".join(["1"] * 20000)
    try:
        assert node.rows(long) == [(20000,)]
    except Exception as error:  # a limit is an answer too
        assert getattr(error, "sqlstate", "") in ("54001", "54000"), error
    goes_on()


@test
def errors_have_a_position():
    with raises("42601") as error:
        node.execute("SELECT 1 +\n  FROM t")
    assert error.value.position == 14, error.value.position
    with raises("42703") as error:
        node.execute("SELECT 'ä', nope FROM t")
    assert error.value.position == 13, error.value.position
    with raises("42P01"):
        node.execute("SELECT * FROM nope")
    with raises("22012"):
        node.execute("SELECT 1 / 0")
    with raises("22003"):
        node.execute("SELECT 9223372036854775807 + 1")
    goes_on()


@test
def unknown_flags():
    for command in [[TOYDB, "start", "--bogus"], [TOYDB, "bogus"], [TOYDB], [TOYDB, "cluster", "--bogus"],
                    [TOYDB, "start", "--id"], [TOYDB, "start", "--id", "x", "--data", scratch],
                    [TOYSQL, "--bogus"], [TOYSQL, "--format", "bogus"], [TOYSQL, "-c"]]:
        code, out, err = run(command)
        assert code == 64, (command, code, out, err)
        assert err and out == "", (command, out, err)
    for program in TOYDB, TOYSQL:
        code, out, err = run([program, "--help"])
        assert code == 0 and out and not err, (program, code, err)


@test
def nobody_to_connect_to():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        code, out, err = run([TOYSQL, "-H", f"127.0.0.1:{s.getsockname()[1]}", "-c", "SELECT 1"])
    assert code == 2 and out == "" and err, (code, out, err)


@test
def a_port_in_use():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        address = f"127.0.0.1:{s.getsockname()[1]}"
        with tempfile.TemporaryDirectory(dir=scratch) as directory:
            code, out, err = run([TOYDB, "start", "--id", "1", "--data", directory, "--listen", address,
                                  "--peers", f"1={address}"])
    assert code == 1 and "in use" in out + err and address in out + err, (code, out, err)


@test
def a_statement_can_be_cancelled():
    node.execute("CREATE TABLE many (id INTEGER PRIMARY KEY)")
    node.execute("INSERT INTO many VALUES " + ",".join(f"({n})" for n in range(1000)))
    session = node.session()
    sequence = session.send("SELECT count(*) FROM many a, many b, many c WHERE a.id + b.id + c.id < 0")
    session.cancel(sequence)
    with raises("57014"):
        session.receive()
    assert session.execute("SELECT 1").rows == [(1,)]
    session.close()
    call = node.connect().unary_stream("/ToyDB/Execute",
                                       request_serializer=pb.ExecuteRequest.SerializeToString,
                                       response_deserializer=pb.ExecuteResponse.FromString)(
        pb.ExecuteRequest(sql="SELECT count(*) FROM many a, many b, many c WHERE a.id+b.id+c.id < 0"),
        timeout=1)
    try:
        list(call)
        raise AssertionError("it should not have come to its end")
    except grpc.RpcError as status:
        assert status.code() == grpc.StatusCode.DEADLINE_EXCEEDED, status
    goes_on()


with cluster:
    main()
