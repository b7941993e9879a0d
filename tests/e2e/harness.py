"""What the end-to-end tests share: clusters of real toydb processes, a client of gRPC's own Python
library, and a runner that prints TAP.

A test file defines functions with @test and ends with main(). The environment names the build:
TOYDB_BUILD_ROOT and TOYDB_SOURCE_ROOT (set by meson).

Tests must come out the same on a machine that stands still for seconds, so none rests on time:

  - Waiting is for a condition (wait_for), never for a time. There is one deadline, PATIENCE, far
    beyond anything that happens, so that what hangs fails; TOYDB_TEST_SLOW stretches it.
  - How long something takes is not measured here. Simulated time is certain: tests/unit/replica,
    tests/sim. Real time is for ./dev bench.
  - Who leads may change between any two statements. Statements wait for a leader as long as it takes
    (TOYDB_QUORUM_TIMEOUT); a test of what happens without one starts its nodes with less.
  - What a node knows, another may not know yet.
  - A port is kept by a socket for as long as the program runs.

Nothing outlives a test run: nodes are killed by process id, and die with this process in any case.
"""
import atexit
import contextlib
import fcntl
import os
import pty
import queue
import random
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
import traceback

import grpc

SOURCE = os.environ.get("TOYDB_SOURCE_ROOT") or os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("TOYDB_BUILD_ROOT") or os.path.join(SOURCE, "build")
TOYDB = os.path.join(BUILD, "src", "bin", "toydb")
TOYSQL = os.path.join(BUILD, "src", "bin", "toysql")
PATIENCE = 120 * float(os.environ.get("TOYDB_TEST_SLOW", "1"))

# A commit is waited for twice as long: less than PATIENCE still.
os.environ["TOYDB_QUORUM_TIMEOUT"] = str(int(PATIENCE / 3))

scratch = tempfile.mkdtemp(prefix="toydb-e2e-")
atexit.register(shutil.rmtree, scratch, ignore_errors=True)


def messages():
    """The protobuf module of the client API, made by protoc."""
    subprocess.run(["protoc", f"--proto_path={SOURCE}/protobuf", f"--python_out={scratch}",
                    "toydb.proto"], check=True)
    sys.path.insert(0, scratch)
    import toydb_pb2  # pylint: disable=import-outside-toplevel
    return toydb_pb2


pb = messages()


class Deadline:
    def __init__(self, patience=PATIENCE):
        self.end = time.monotonic() + patience

    def over(self):
        return time.monotonic() > self.end


def wait_for(condition, what, patience=PATIENCE):
    """Polls until `condition` gives something true, which is returned."""
    deadline = Deadline(patience)
    while True:
        last = deadline.over()  # asked before: whoever was held up looks once more
        got = condition()
        if got:
            return got
        if last:
            raise AssertionError(f"waited {patience:g} s for {what}")
        time.sleep(0.02)


held_ports = []


def free_ports(count):
    """Ports that stay free for this program's nodes. Each is bound by a socket that nobody may share,
    which is then made one that a node can listen beside: libuv asks for sharing, other harnesses do
    not."""
    ports = []
    while len(ports) < count:
        s = socket.socket()
        try:
            s.bind(("127.0.0.1", random.randrange(12000, 32000)))
        except OSError:
            s.close()
            continue
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held_ports.append(s)
        ports.append(s.getsockname()[1])
    return ports


# Children die with this process. Not by preexec_fn, and no os.fork() anywhere: a plain fork runs
# grpc's own handlers, which wait for its threads or give up; subprocess without one uses vfork.
DIE_WITH_PARENT = ["setpriv", "--pdeathsig", "KILL"]


def popen(arguments, **options):
    return subprocess.Popen(DIE_WITH_PARENT + arguments, **options)


def run(arguments, stdin="", timeout=PATIENCE, **options):
    """(exit code, stdout, stderr)"""
    if isinstance(stdin, str):
        stdin = stdin.encode()
    done = subprocess.run(DIE_WITH_PARENT + arguments, input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=timeout, check=False, **options)
    return (done.returncode, done.stdout.decode(errors="replace"),
            done.stderr.decode(errors="replace"))


class Terminal:
    """A program on a pseudo-terminal."""

    def __init__(self, *arguments, pager=""):
        self.text = ""
        self.fd, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 40, 120, 0, 0))
        # libedit never frees the name and the help of a key's function.
        options = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        self.process = popen(["setsid", "--ctty", *arguments], stdin=slave, stdout=slave, stderr=slave,
                             env={**os.environ, "TERM": "xterm", "NO_COLOR": "1",
                                  "ASAN_OPTIONS": options, "TOYSQL_PAGER": pager,
                                  "TOYSQL_HISTORY": os.path.join(scratch, "history")})
        os.close(slave)

    def read(self):
        ready, _, _ = select.select([self.fd], [], [], 0.05)
        if ready:
            try:
                self.text += os.read(self.fd, 65536).decode(errors="replace")
            except OSError:
                return False
        return True

    def expect(self, pattern):
        """Waits for the pattern in what was printed since the last match; what came up to it."""
        deadline = Deadline()
        while True:
            last = deadline.over()
            plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\r", "", self.text)
            match = re.search(pattern, plain)
            if match:
                self.text = plain[match.end():]
                return plain[:match.end()]
            if last or not self.read():
                raise AssertionError(f"no {pattern!r} in {plain!r}")

    def send(self, text):
        os.write(self.fd, text.encode())

    def key(self, character, editing):
        """A control character, once the program edits a line, or once it runs a statement: a key
        pressed in between is the other's."""
        disabled = os.fpathconf(self.fd, "PC_VDISABLE")

        def ready():
            interrupt = termios.tcgetattr(self.fd)[6][termios.VINTR]
            return (ord(interrupt) == disabled) == editing
        wait_for(ready, "the terminal to be set")
        self.send(character)

    def line(self, text, pattern=r"toydb\S*> ?$"):
        self.send(text + "\n")
        self.expect(re.escape(text.split("\t")[0][-20:]))
        return self.expect(pattern)

    def leave(self):
        """The shell, as people do; all is well with it."""
        self.send("\\q\n")
        assert self.end() == 0

    def end(self):
        """The exit code of the program."""
        deadline = Deadline()
        while self.process.poll() is None:
            if deadline.over():
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"it did not end; it said {self.text!r}")
            self.read()
        os.close(self.fd)
        return self.process.returncode


class SqlError(Exception):
    def __init__(self, error, status=None):
        super().__init__(f"{error.sqlstate}: {error.message}")
        self.sqlstate = error.sqlstate
        self.message = error.message
        self.detail = error.detail
        self.hint = error.hint
        self.position = error.position
        self.state = error.transaction_state
        self.status = status  # of the gRPC call; None in a session


def to_value(value):
    if value is None:
        return pb.Value()
    if isinstance(value, bool):
        return pb.Value(boolean=value)
    if isinstance(value, int):
        return pb.Value(integer=value)
    if isinstance(value, float):
        return pb.Value(real=value)
    return pb.Value(text=value)


def from_value(value):
    kind = value.WhichOneof("kind")
    return None if kind is None else getattr(value, kind)


class Result:
    """What one request gave: of its last statement, if it had several."""

    def __init__(self):
        self.columns, self.rows, self.tags, self.error = [], [], [], None
        self.state = 0

    def add(self, response):
        """True when the request is over."""
        kind = response.WhichOneof("message")
        if kind == "header":
            self.columns = [(c.name, c.type) for c in response.header.columns]
            self.rows = []
        elif kind == "rows":
            self.rows += [tuple(from_value(v) for v in row.values) for row in response.rows.rows]
        elif kind == "completion":
            self.tags.append(response.completion.tag)
            self.state = response.completion.transaction_state
            return not response.completion.more
        elif kind == "error":
            self.error = response.error
            return True
        return False


def request(sql, parameters=(), request_id=b""):
    return pb.ExecuteRequest(sql=sql, parameters=[to_value(p) for p in parameters],
                             request_id=request_id)


class Session:
    """One ToyDB/Session stream."""

    def __init__(self, channel):
        self.queue = queue.SimpleQueue()
        self.sequence = 0
        self.call = channel.stream_stream(
            "/ToyDB/Session", request_serializer=pb.SessionRequest.SerializeToString,
            response_deserializer=pb.SessionResponse.FromString)(
                iter(self.queue.get, None), timeout=PATIENCE, wait_for_ready=True)

    def send(self, sql, parameters=()):
        self.sequence += 1
        self.queue.put(pb.SessionRequest(sequence=self.sequence, execute=request(sql, parameters)))
        return self.sequence

    def cancel(self, sequence):
        self.queue.put(pb.SessionRequest(sequence=sequence, cancel=pb.Cancel()))

    def receive(self):
        result = Result()
        for response in self.call:
            assert response.sequence == self.sequence, response
            if result.add(response.response):
                if result.error is not None:
                    raise SqlError(result.error)
                return result
        raise AssertionError("the session's stream ended")

    def execute(self, sql, parameters=()):
        self.send(sql, parameters)
        return self.receive()

    def close(self):
        self.queue.put(None)
        for _ in self.call:
            pass

    def drop(self):
        self.call.cancel()
        self.queue.put(None)


class Node:
    def __init__(self, cluster, number, port, directory, extra=None):
        """extra: what it is started with besides who and where it is; None: with the cluster's
        first members. options: besides that; the cluster's at first."""
        self.cluster, self.id, self.port, self.dir = cluster, number, port, directory
        self.extra = extra
        self.options = list(cluster.options) if cluster else []
        self.address = f"127.0.0.1:{port}"
        self.log = directory + ".log"
        self.process = None
        self.channel = None

    def arguments(self):
        extra = ["--peers", self.cluster.peers] if self.extra is None else self.extra
        return [TOYDB, "start", "--id", str(self.id), "--data", self.dir, "--listen", self.address,
                *extra, *self.options]

    def start(self):
        assert not self.alive()
        self.disconnect()
        with open(self.log, "ab") as log:
            self.process = popen(self.arguments(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.alive():
            self.process.kill()
        self.process.wait()

    def stop(self):
        """Ends it in good order; its exit code. This client goes first: it reads nothing between two
        calls, so the node would wait for it."""
        self.disconnect()
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def exit_code(self):
        """Waits until it ends by itself."""
        return self.process.wait(PATIENCE)

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def connect(self):
        if self.channel is None:
            self.channel = grpc.insecure_channel(self.address, options=[
                ("grpc.max_receive_message_length", 64 << 20),
                ("grpc.max_send_message_length", 64 << 20),
                ("grpc.use_local_subchannel_pool", 1)])
        return self.channel

    def disconnect(self):
        """Ends this client's calls to the node."""
        if self.channel is not None:
            self.channel.close()
            self.channel = None

    def status(self):
        """None when it does not answer at once."""
        try:
            return self.connect().unary_unary(
                "/ToyDB/Status", request_serializer=pb.StatusRequest.SerializeToString,
                response_deserializer=pb.StatusResponse.FromString)(
                    pb.StatusRequest(), timeout=5)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.UNAVAILABLE:
                self.disconnect()  # a channel that failed tries again only after seconds
            return None

    def state(self):
        """Its status, once it answers."""
        return wait_for(self.status, f"node {self.id} to answer")

    def execute(self, sql, parameters=(), request_id=b"", timeout=PATIENCE):
        call = self.connect().unary_stream(
            "/ToyDB/Execute", request_serializer=pb.ExecuteRequest.SerializeToString,
            response_deserializer=pb.ExecuteResponse.FromString)(
                request(sql, parameters, request_id), timeout=timeout)
        result = Result()
        try:
            for response in call:
                result.add(response)
        except grpc.RpcError as error:
            if result.error is None:
                raise
            raise SqlError(result.error, error.code()) from None
        assert result.error is None, "an error, and yet the call ended well"
        return result

    def rows(self, sql, parameters=()):
        return self.execute(sql, parameters).rows

    def session(self):
        return Session(self.connect())


class Cluster:
    def __init__(self, nodes=5, start=True, directory=None, options=()):
        self.dir = directory or tempfile.mkdtemp(dir=scratch)
        self.options = options
        ports = free_ports(nodes)
        self.peers = ",".join(f"{i + 1}=127.0.0.1:{port}" for i, port in enumerate(ports))
        self.nodes = [Node(self, i + 1, port, os.path.join(self.dir, f"node{i + 1}"))
                      for i, port in enumerate(ports)]
        if start:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        """The logs tell more when a test of its own cluster failed."""
        if kind is not None and not issubclass(kind, (SystemExit, Skip)):
            self.print_logs()
        self.close()

    def start(self):
        for node in self.nodes:
            node.start()
        self.leader()

    def close(self):
        for node in self.nodes:
            node.disconnect()
            if node.process is not None:
                node.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def print_logs(self):
        for node in self.nodes:
            if os.path.exists(node.log):
                print(f"# ---- {node.log}, exit code {node.process and node.process.poll()}")
                for line in node.log_text().splitlines()[-15:]:
                    print("#   " + line)

    @property
    def addresses(self):
        return ",".join(node.address for node in self.nodes)

    def alive(self):
        return [node for node in self.nodes if node.alive()]

    def led(self):
        """Waits until all running nodes name the same running leader; it, and its term."""
        def agreed():
            states = [node.status() for node in self.alive()]
            if None in states or len({(state.leader, state.term) for state in states}) != 1:
                return None
            found = self.node(states[0].leader)
            return (found, states[0].term) if found is not None and found.alive() else None
        return wait_for(agreed, "a leader")

    def leader(self):
        return self.led()[0]

    def roles(self):
        """The leader and the others that run, as all of them saw it at one time."""
        leader = self.leader()
        return leader, [node for node in self.alive() if node is not leader]

    def lead(self, node):
        """Has this node lead."""
        def leads():
            if self.leader() is node:
                return True
            self.toydb("transfer-leader", str(node.id))
            return False
        wait_for(leads, f"node {node.id} to lead")

    def node(self, number):
        """None: there is none of that number."""
        return next((node for node in self.nodes if node.id == number), None)

    def join(self, number, *extra):
        """Starts another node, with an empty directory, that joins through the running ones."""
        port, = free_ports(1)
        addresses = ",".join(node.address for node in self.alive())
        node = Node(self, number, port, os.path.join(self.dir, f"node{number}-{port}"),
                    ["--join", addresses, *extra])
        self.nodes.append(node)
        node.start()
        return node

    def toydb(self, *arguments):
        """toydb with a command that asks the cluster."""
        addresses = ",".join(node.address for node in self.alive())
        return run([TOYDB, *arguments, "-H", addresses])

    def follower(self):
        return self.roles()[1][0]

    def toysql(self, *arguments, stdin=""):
        return run([TOYSQL, "-H", self.addresses, *arguments], stdin=stdin)


@contextlib.contextmanager
def raises(*sqlstates):
    """The block must fail with one of these SQLSTATEs; the error is in .value of what it gives."""
    holder = type("Holder", (), {"value": None})()
    try:
        yield holder
    except SqlError as error:
        assert error.sqlstate in sqlstates, f"{error}, not {' or '.join(sqlstates)}"
        holder.value = error
        return
    raise AssertionError(f"no error {' or '.join(sqlstates)}")


class Skip(Exception):
    """Raised by a test that cannot be run here, with the reason."""


tests = []


def test(function):
    tests.append(function)
    return function


def on_signal(number, _):
    raise SystemExit(128 + number)


def main():
    """Runs the tests whose name contains an argument, or all."""
    signal.signal(signal.SIGTERM, on_signal)
    wanted = [t for t in tests
              if len(sys.argv) == 1 or any(word in t.__name__ for word in sys.argv[1:])]
    print(f"1..{len(wanted)}", flush=True)
    failed = 0
    for number, function in enumerate(wanted, 1):
        name = function.__name__.replace("_", " ")
        started = time.monotonic()
        try:
            function()
            line = f"ok {number} - {name}"
        except Skip as reason:
            line = f"ok {number} - {name} # SKIP {reason}"
        except Exception:  # pylint: disable=broad-except
            failed += 1
            for text in traceback.format_exc().splitlines():
                print("# " + text)
            line = f"not ok {number} - {name}"
        print(line, flush=True)
        print(f"# {time.monotonic() - started:.1f} s", flush=True)
    sys.exit(1 if failed else 0)
