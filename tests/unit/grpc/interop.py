"""gRPC's own Python client against our server: python3 interop.py <grpc_echo_server>"""
import subprocess
import sys
import threading

import grpc


def raw(channel, kind, name):
    return getattr(channel, kind)("/Test/" + name)


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def expect_error(call, code, details=None):
    try:
        call()
    except grpc.RpcError as error:
        expect(error.code() == code, f"code {error.code()}, not {code}")
        expect(details is None or error.details() == details, f"details {error.details()!r}")
        return
    raise AssertionError(f"no error, {code} expected")


def test_unary(channel):
    unary = raw(channel, "unary_unary", "Unary")
    for size in (0, 1, 100, 70000, 4000000):
        body = bytes(i % 251 for i in range(min(size, 1000))) * max(1, size // 1000)
        expect(unary(body) == body, f"unary of {size} bytes")


def test_unary_threads(channel):
    unary = raw(channel, "unary_unary", "Unary")
    wrong = []

    def run(name):
        for i in range(200):
            body = f"{name} {i}".encode()
            if unary(body) != body:
                wrong.append(body)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(not wrong, f"wrong answers: {wrong[:3]}")


def test_server_stream(channel):
    answers = list(raw(channel, "unary_stream", "Count")(b"20000"))
    expect(len(answers) == 20000 and all(len(a) == 100 for a in answers), "count")
    expect(answers[-1] == bytes([1]) * 100, "order")


def test_client_stream(channel):
    total = raw(channel, "stream_unary", "Sum")(b"x" * 1000 for _ in range(2000))
    expect(total == b"2000000", f"sum {total}")


def test_bidi(channel):
    expect(list(raw(channel, "stream_stream", "Bidi")(iter([b"a", b"", b"c"]))) == [b"a", b"", b"c"],
           "bidi")


def test_bidi_ping_pong(channel):
    ready = threading.Semaphore(1)

    def requests():
        for i in range(50):
            ready.acquire()
            yield str(i).encode()

    seen = 0
    for answer in raw(channel, "stream_stream", "Bidi")(requests()):
        expect(answer == str(seen).encode(), "ping-pong")
        seen += 1
        ready.release()
    expect(seen == 50, f"{seen} answers")


def test_errors(channel):
    fail = raw(channel, "unary_unary", "Fail")
    expect_error(lambda: fail(b"3 42601: syntax error at \"x\""), grpc.StatusCode.INVALID_ARGUMENT,
                 '42601: syntax error at "x"')
    expect_error(lambda: fail("10 100% na\u00efve\n".encode()), grpc.StatusCode.ABORTED,
                 "100% na\u00efve\n")
    answers = []

    def stream():
        for answer in raw(channel, "unary_stream", "Fail")(b"!9 after"):
            answers.append(answer)

    expect_error(stream, grpc.StatusCode.FAILED_PRECONDITION, "after")
    expect(answers == [b"partial"], "message before the error")
    expect_error(lambda: raw(channel, "unary_unary", "Nothing")(b""),
                 grpc.StatusCode.UNIMPLEMENTED)
    expect_error(lambda: raw(channel, "unary_unary", "Unary")(b"x" * (9 << 20)),
                 grpc.StatusCode.RESOURCE_EXHAUSTED)


def test_deadline(channel):
    hang = raw(channel, "unary_unary", "Hang")
    expect_error(lambda: hang(b"", timeout=0.2), grpc.StatusCode.DEADLINE_EXCEEDED)


def test_cancel(channel):
    call = raw(channel, "unary_unary", "Hang").future(b"")
    call.cancel()
    expect(call.cancelled(), "cancelled")
    expect(raw(channel, "unary_unary", "Unary")(b"on") == b"on", "connection lives")


def test_metadata(channel):
    answer = raw(channel, "unary_unary", "Metadata")(
        b"", metadata=(("x-test", "hello"), ("authorization", "Bearer x")))
    expect(answer == b"hello", f"metadata {answer}")


def test_compression(channel):
    unary = raw(channel, "unary_unary", "Unary")
    expect_error(lambda: unary(b"x" * 10000, compression=grpc.Compression.Gzip),
                 grpc.StatusCode.UNIMPLEMENTED, "compressed messages are not supported")


def main():
    server = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    failed = 0
    try:
        port = int(server.stdout.readline())
        options = [("grpc.max_receive_message_length", 32 << 20)]
        with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
            grpc.channel_ready_future(channel).result()
            for name, test in sorted(globals().items()):
                if not name.startswith("test_"):
                    continue
                try:
                    test(channel)
                    print("ok", name)
                except Exception as error:  # report and go on to the next
                    failed += 1
                    print("not ok", name, repr(error))
    finally:
        server.stdin.close()
        server.wait(timeout=10)
    expect(server.returncode == 0, f"server ended with {server.returncode}")
    return 1 if failed else 0


sys.exit(main())
