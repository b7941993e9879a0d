"""./dev run with a script: what a newcomer does first."""
import glob
import os
import re
import shutil
import signal
import socket
import subprocess

from harness import PATIENCE, SOURCE, TOYDB, Terminal, main, popen, run, scratch, test, wait_for

DEV = os.path.join(SOURCE, "dev")
HOME = {**os.environ, "TMPDIR": scratch}

SCRIPT = """CREATE TABLE pets (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO pets VALUES (1, 'Rex'), (2, 'Tom');
SELECT name FROM pets ORDER BY name;
"""


def nothing_left():
    assert not glob.glob(os.path.join(scratch, "toydb.*")), "the directory of the cluster is left"


def dev_run(stdin, *arguments):
    return run([DEV, "run", *arguments], stdin=stdin, env=HOME)


@test
def a_script():
    code, out, err = dev_run(SCRIPT)
    assert code == 0, (code, out, err)
    lines = out.splitlines()
    assert lines[:2] == ["CREATE TABLE", "INSERT 0 2"], out
    assert "Rex" in out and "(2 rows)" in out
    assert lines[-1] == "(2 rows)" or lines[-2] == "(2 rows)", out
    nothing_left()


@test
def a_script_that_fails():
    code, out, err = dev_run(SCRIPT + "SELECT nme FROM pets;\nSELECT 'not reached' AS n;\n")
    assert code == 1, (code, out, err)
    assert "Rex" in out and "not reached" not in out, out
    assert "42703" in err and "^" in err and 'nme' in err, err
    nothing_left()


@test
def arguments_go_to_the_shell():
    code, out, err = dev_run("", "--format", "csv", "-c", "SELECT 1 AS one")
    assert (code, out) == (0, "one\n1\n"), (code, out, err)
    code, out, err = dev_run("", "--bogus")
    assert code == 64 and out == "", (code, out, err)
    code, out, err = run([DEV, "bogus"])
    assert code == 64
    nothing_left()


@test
def four_at_once():
    """They look for ports at the same moment, and none may get into the way of the others."""
    all_four = [popen([DEV, "run", "-c", f"SELECT {n} AS n"], stdin=subprocess.DEVNULL, env=HOME,
                      stdout=subprocess.PIPE, stderr=subprocess.PIPE) for n in (1, 2, 3, 4)]
    for n, process in enumerate(all_four, 1):
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0 and str(n) in out.decode(), (out, err)
    nothing_left()


@test
def a_directory_keeps_the_data():
    directory = os.path.join(scratch, "kept")
    code, _, err = dev_run(SCRIPT, "--dir", directory)
    assert code == 0, err
    code, out, err = dev_run("SELECT count(*) AS n FROM pets;", "--dir", directory, "--format", "csv")
    assert (code, out) == (0, "n\n2\n"), (code, out, err)


def dev_shell(directory):
    shell = Terminal(DEV, "run", "--dir", directory)
    shell.expect(r"toydb> $")
    return shell


def addresses(directory):
    with open(os.path.join(directory, "cluster.log"), encoding="utf-8") as file:
        return re.findall(r"^node \d+: (\S+) ", file.read(), re.M)


@test
def a_cluster_without_its_first_node():
    """Removed under the shell, and gone from the next start on; what is left of the cluster works."""
    directory = os.path.join(scratch, "without")
    shell = dev_shell(directory)
    shell.line("CREATE TABLE t (id INTEGER PRIMARY KEY);")
    code, out, err = run([TOYDB, "node", "remove", "1", "-H", addresses(directory)[1]])
    assert code == 0 and "node 1 is no member" in out, (code, out, err)
    assert "INSERT 0 1" in shell.line("INSERT INTO t VALUES (1);")
    shell.leave()
    shell = Terminal(DEV, "run", "--dir", directory)
    shell.expect("node 1 was removed from the cluster and is not started; its data is kept in .*node1\n")
    shell.expect(r"toydb> $")
    assert "(1 row)" in shell.line("SELECT * FROM t;")
    # And a second shell finds the cluster.
    code, out, err = dev_run("SELECT count(*) AS n FROM t;", "--dir", directory, "--format", "csv")
    assert (code, out) == (0, "n\n1\n") and "running" in err, (code, out, err)
    code, out, err = run([TOYDB, "check", "--cluster", "-H", addresses(directory)[0]])
    assert code == 0 and "all 4 nodes hold the same" in out, (code, out, err)
    shell.leave()


@test
def a_port_that_is_taken():
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 9602))
            taken.listen()
        except OSError:
            pass  # somebody has it: as good
        code, out, err = dev_run("SELECT 1 AS one;", "--format", "csv")
    assert (code, out) == (0, "one\n1\n"), (code, out, err)
    said = re.findall(r"^toydb: ports 9601 to 9605 are in use; this cluster is at (\d+) to (\d+): "
                      r"toysql -H localhost:(\d+)$", err, re.M)
    assert len(said) == 1, err
    first, last, example = map(int, said[0])
    assert first > 9605 and last == first + 4 and example == first, err


def lingering():
    """Ports of this machine that connections in TIME_WAIT have as their own."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        rows = [line.split() for line in file][1:]
    return {int(row[1].split(":")[1], 16) for row in rows if row[3] == "06"}


def ports_of_a_run(name):
    """Its nodes end before their clients, so it is the nodes' ports that the connections linger on."""
    directory = os.path.join(scratch, name)
    shell = Terminal(DEV, "run", "--dir", directory)
    said = shell.expect(r"toydb> $")
    ports = [int(address.split(":")[1]) for address in addresses(directory)]
    assert ("are in use; this cluster is at" in said) == (ports[0] != 9601), said
    clients = [socket.create_connection(("127.0.0.1", port), PATIENCE) for port in ports]
    shell.leave()
    for client in clients:
        while client.recv(4096):
            pass
        client.close()
    wait_for(lambda: set(ports) <= lingering(), "the nodes' ends of the connections to linger")
    return ports


@test
def the_same_ports_again_at_once():
    """Other clusters of this machine may come and go meanwhile, hence more than one pair of runs; where
    lingering connections keep a port, none has the ports of the one before it."""
    before = ports_of_a_run("again0")
    for n in range(1, 4):
        after = ports_of_a_run(f"again{n}")
        if after == before:
            return
        before = after
    raise AssertionError(f"each run had other ports, the last one {before}")


def processes(directory):
    """Ids of the nodes that have their data below this directory."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                if directory.encode() in file.read() and b"toydb" in open(path, "rb").read():
                    found.append(int(path.split("/")[2]))
        except OSError:
            pass
    return found


@test
def terminated_it_leaves_nothing():
    directory = os.path.join(scratch, "ended")
    process = popen([DEV, "run", "--dir", directory], stdin=subprocess.PIPE, env=HOME,
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    process.stdin.write(b"SELECT 1 AS one;\n")
    process.stdin.flush()
    wait_for(lambda: os.path.exists(os.path.join(directory, "cluster.pid")), "a cluster")
    assert len(processes(directory)) >= 6
    os.killpg(process.pid, signal.SIGTERM)
    process.stdin.close()
    assert process.wait(PATIENCE) != 0
    process.stdout.close()
    process.stderr.close()
    wait_for(lambda: not processes(directory), "the nodes to go")


def command_lines(directory):
    lines = {}
    for pid in processes(directory):
        with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
            lines[pid] = file.read().split("\0")
    return lines


@test
def a_terminal():
    directory = os.path.join(scratch, "by-hand")
    terminal = dev_shell(directory)
    terminal.line("CREATE TABLE kept (id INTEGER PRIMARY KEY);")
    terminal.line("INSERT INTO kept VALUES (1), (2);")
    # Ctrl-C is the shell's: it cancels the line, and the cluster goes on.
    terminal.send("SELECT half")
    terminal.expect("SELECT half")
    terminal.key("\x03", editing=True)
    terminal.expect(r"toydb> $")
    assert "(2 rows)" in terminal.line("SELECT id FROM kept;")
    # A second shell joins the cluster that runs, and leaves it running.
    second = dev_shell(directory)
    assert "(2 rows)" in second.line("SELECT id FROM kept;")
    second.leave()
    # The leader's process dies; nobody does anything about it.
    leader = wait_for(lambda: re.search(r"leader: node (\d)", terminal.line("\\status")),
                      "a leader").group(1)
    nodes = command_lines(directory)
    victim = [pid for pid, line in nodes.items() if "start" in line and line[line.index("--id") + 1] == leader]
    assert len(victim) == 1, nodes
    os.kill(victim[0], signal.SIGKILL)
    terminal.line("INSERT INTO kept VALUES (3);", r"INSERT 0 1")
    terminal.expect(r"toydb> $")
    terminal.leave()
    assert not processes(directory), "nodes are left"
    code, out, err = dev_run("SELECT count(*) AS n FROM kept;", "--dir", directory, "--format", "csv")
    assert (code, out) == (0, "n\n3\n"), (code, out, err)


def executable(directory, name, text):
    path = os.path.join(directory, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o755)


@test
def another_system_is_asked_for_what_the_build_needs():
    """Without apt: a PATH on which all tools are, and a pkg-config that lacks one library."""
    tools = os.path.join(scratch, "tools")
    os.mkdir(tools)
    os.symlink(shutil.which("dirname"), os.path.join(tools, "dirname"))
    for name in ("meson", "ninja", "cc", "protoc", "protoc-c", "python3"):
        executable(tools, name, "exit 0\n")
    needed = set()
    for path in [os.path.join(SOURCE, "meson.build"), os.path.join(SOURCE, "protobuf", "meson.build"),
                 *glob.glob(os.path.join(SOURCE, "src", "**", "meson.build"), recursive=True)]:
        with open(path, encoding="utf-8") as file:
            needed |= set(re.findall(r"\bdependency\('([^']+)'", file.read()))
    needed.discard("threads")  # the compiler's own
    assert "libxxhash" in needed, needed
    for missing in [None, *sorted(needed)]:
        executable(tools, "pkg-config", f"case \" $* \" in *\" {missing} \"*) exit 1 ;; esac\n")
        code, out, err = run(["/usr/bin/env", f"PATH={tools}", DEV, "deps"])
        assert code == (1 if missing else 0) and not out, (missing, code, out, err)
        if missing:
            word = re.sub(r"^lib|\d?-\d+$", "", missing)
            for installer in ("dnf install", "brew install"):
                hint = err[err.index(installer):].split("brew" if installer[0] == "d" else "pip")[0]
                assert word in hint, (missing, hint)


main()
