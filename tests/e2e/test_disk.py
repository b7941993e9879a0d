"""Disks that are full, files that are damaged, directories that belong elsewhere."""
import contextlib
import glob
import itertools
import os
import shutil
import subprocess
import tempfile
import threading

import grpc

from harness import TOYDB, Cluster, Skip, SqlError, main, run, scratch, test, wait_for


def fill(node, rows=200):
    node.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
    for start in range(0, rows, 50):
        node.execute("INSERT INTO t VALUES " + ",".join(
            f"({n}, '{str(n) * 100}')" for n in range(start, start + 50)))


def stop_all(cluster):
    for node in cluster.nodes:
        assert node.stop() == 0, node.log_text()[-500:]


def refuses(node, *words):
    """Starting the node must end in exit code 1 with a last line that says these words."""
    node.start()
    code = node.exit_code()
    log = node.log_text()
    last = "\n".join(log.splitlines()[-4:])
    assert code == 1, (code, last)
    for word in words:
        assert word in last, f"no \"{word}\" in: {last}"


@contextlib.contextmanager
def small_disk(megabytes):
    if os.geteuid() != 0:
        raise Skip("mounting a small disk needs root")
    directory = tempfile.mkdtemp(dir=scratch)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "toydb-e2e", directory],
                      check=False, stderr=subprocess.DEVNULL).returncode != 0:
        raise Skip("a small disk cannot be mounted here")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", directory], check=True)


class Filler(threading.Thread):
    """Takes all space of a disk but so much, also what is let go meanwhile, until it is stopped."""

    serial = itertools.count()

    def __init__(self, disk, leave):
        super().__init__(daemon=True)
        self.disk, self.leave, self.files, self.over = disk, leave, [], threading.Event()

    def take(self):
        """Whether there is nothing to take."""
        space = os.statvfs(self.disk)
        size = space.f_bavail * space.f_frsize - self.leave
        if size <= 0:
            return True
        path = os.path.join(self.disk, f"filler{next(Filler.serial)}")
        self.files.append(path)
        with open(path, "wb") as file, contextlib.suppress(OSError):  # somebody was quicker
            os.posix_fallocate(file.fileno(), 0, size)
        return False

    def run(self):
        while not self.over.wait(0.02):
            self.take()

    def stop(self):
        self.over.set()
        self.join()
        for path in self.files:
            os.unlink(path)


@contextlib.contextmanager
def filled(disk, leave=0):
    filler = Filler(disk, leave)
    wait_for(filler.take, "the disk to be full")
    filler.start()
    try:
        yield
    finally:
        filler.stop()


serial = itertools.count(1000000)


def refused(node, size=5):
    """The error by which a write is refused for the sake of the disk; None: it was done."""
    try:
        node.execute("INSERT INTO t VALUES ($1, $2)", [next(serial), "x" * size])
    except SqlError as error:
        assert error.sqlstate == "53100", error
        return error
    return None


@test
def a_full_disk():
    with small_disk(600) as disk, Cluster(nodes=3, directory=disk) as cluster:
        node = cluster.nodes[0]
        fill(node)
        for leave in 8 << 20, 64 << 10, 0:
            # First into the reserve, as a disk fills up, then all the rest of it.
            with filled(disk, 12 << 20):
                wait_for(lambda: refused(node), "writes to be refused")
                with filled(disk, leave):
                    error = wait_for(lambda: refused(node, 300000), "writes to be refused")
                    assert error.status == grpc.StatusCode.RESOURCE_EXHAUSTED, error.status
                    for each in cluster.nodes:
                        assert each.alive(), "a node died of a full disk"
                        assert each.rows("SELECT count(*) FROM t WHERE id < 1000") == [(200,)]
            wait_for(lambda: not refused(node), "writes to be accepted")
        # Nothing was lost on the way, also not by a crash.
        before = node.rows("SELECT id, length(text) FROM t ORDER BY id")
        for each in cluster.nodes:
            each.kill()
        cluster.start()
        assert node.rows("SELECT id, length(text) FROM t ORDER BY id") == before


@test
def a_full_disk_under_the_only_node():
    with small_disk(100) as disk, Cluster(nodes=1, directory=disk) as cluster:
        node = cluster.nodes[0]
        fill(node)
        for _ in range(2):
            with filled(disk):
                error = wait_for(lambda: refused(node), "writes to be refused")
                assert "Free some disk space" in error.hint, error.hint
                assert node.rows("SELECT count(*) FROM t WHERE id < 1000") == [(200,)]
            wait_for(lambda: not refused(node), "writes to be accepted")
        with filled(disk):
            assert node.stop() == 0
        cluster.start()
        assert node.rows("SELECT count(*) FROM t WHERE id < 1000") == [(200,)]
        assert not refused(node)


@test
def a_full_disk_under_one_of_three():
    with small_disk(150) as disk, Cluster(nodes=3, start=False) as cluster:
        full, other, third = cluster.nodes
        full.dir = os.path.join(disk, "node")
        full.options = ["--quorum-timeout", "2"]
        cluster.start()
        fill(full)
        with filled(disk):
            # More than it has space for: the others go on, it stays behind and says why.
            for _ in range(30):
                wait_for(lambda: not refused(other, 1000000), "one that has space to lead")
            assert third.rows("SELECT count(*) FROM t WHERE length(text) = 1000000") == [(30,)]

            def says_why():
                try:
                    rows = full.rows("SELECT count(*) FROM t")
                except SqlError as error:
                    return error if error.sqlstate != "57P03" else None  # no leader for a moment
                raise AssertionError(f"{rows}, of a node that is behind")
            error = wait_for(says_why, "it to say why")
            assert error.sqlstate == "53100", error
            assert "node 1" in error.hint and "ask another node" in error.hint
            assert full.alive() and cluster.leader() is not full
        wanted = other.rows("SELECT count(*) FROM t")
        def caught_up():
            with contextlib.suppress(SqlError):
                return full.rows("SELECT count(*) FROM t") == wanted
        wait_for(caught_up, "the node to catch up")
        # As the leader it does not refuse what others can store: one of them takes over.
        cluster.lead(full)
        with filled(disk):
            for _ in range(5):
                wait_for(lambda: not refused(other), "one that has space to lead")


@test
def a_disk_that_is_full_at_start():
    with small_disk(200) as disk, Cluster(nodes=1, directory=disk) as cluster:
        node = cluster.nodes[0]
        fill(node)
        stop_all(cluster)
        with filled(disk):
            node.start()
            wait_for(lambda: node.status() or not node.alive(), "an answer or an end")
            if node.alive():
                assert node.rows("SELECT count(*) FROM t WHERE id < 1000") == [(200,)]
                wait_for(lambda: refused(node), "writes to be refused")
                node.kill()
            else:
                assert node.process.returncode == 1
                assert "disk" in node.log_text().splitlines()[-1].lower(), node.log_text()[-300:]
        cluster.start()
        assert node.rows("SELECT count(*) FROM t WHERE id < 1000") == [(200,)]


@test
def the_directory_of_another_node():
    with Cluster(nodes=3) as cluster:
        fill(cluster.nodes[0])
        stop_all(cluster)
        first, second = cluster.nodes[:2]
        first.dir, second.dir = second.dir, first.dir
        refuses(first, "belongs to node 2")
        first.dir, second.dir = second.dir, first.dir
        cluster.start()
        assert first.rows("SELECT count(*) FROM t") == [(200,)]


@test
def the_directory_of_another_cluster():
    with Cluster(nodes=3) as ours, Cluster(nodes=3) as theirs:
        fill(ours.nodes[0])
        fill(theirs.nodes[0], rows=100)
        stop_all(ours)
        stop_all(theirs)
        stranger = ours.nodes[2]
        shutil.rmtree(stranger.dir)
        shutil.copytree(theirs.nodes[2].dir, stranger.dir)
        ours.nodes[0].start()
        ours.nodes[1].start()
        ours.leader()
        stranger.start()
        assert stranger.exit_code() == 1
        last = "\n".join(stranger.log_text().splitlines()[-4:])
        assert "belongs to another cluster" in last and "--data" in last, last
        assert ours.nodes[0].rows("SELECT count(*) FROM t") == [(200,)]
        assert ours.leader() in ours.nodes[:2]
        theirs.start()
        assert theirs.nodes[2].rows("SELECT count(*) FROM t") == [(100,)]


@test
def a_directory_in_use():
    with Cluster(nodes=1) as cluster, Cluster(nodes=1, start=False) as other:
        fill(cluster.nodes[0])
        other.nodes[0].dir = cluster.nodes[0].dir
        refuses(other.nodes[0], "use")
        assert cluster.nodes[0].rows("SELECT count(*) FROM t") == [(200,)]


def damage(path, offset, size=64):
    with open(path, "r+b") as file:
        file.seek(offset)
        old = file.read(size)
        file.seek(offset)
        file.write(bytes(byte ^ 0x5A for byte in old))


@test
def a_corrupt_page():
    with Cluster(nodes=1) as cluster:
        node = cluster.nodes[0]
        fill(node, rows=2000)
        stop_all(cluster)
        path = os.path.join(node.dir, "data.toydb")
        good = path + ".good"
        shutil.copy(path, good)
        damaged = 0
        with open(path, "rb") as file:
            content = file.read()
        written = [page for page in range(2, len(content) // 4096)
                   if any(content[page * 4096:(page + 1) * 4096])]
        for page in written[::max(1, len(written) // 12)]:
            shutil.copy(good, path)
            damage(path, page * 4096 + 100)
            node.start()
            wait_for(lambda: not node.alive() or ((s := node.status()) and s.leader), "a start")
            if not node.alive():
                assert node.process.returncode == 1
                log = node.log_text().splitlines()[-1]
                assert "data.toydb" in log and "page" in log, log
                damaged += 1
            else:
                try:
                    rows = node.rows("SELECT id, text FROM t ORDER BY id")
                    assert rows == [(n, str(n) * 100) for n in range(2000)], "wrong rows, no error"
                except SqlError as error:
                    assert error.sqlstate == "XX001", error
                    assert error.message, error
                    damaged += 1
                    assert node.alive() and node.state().id == 1
                node.kill()
        assert damaged >= 3, f"only {damaged} pages with something in them were met"
        shutil.copy(good, path)
        cluster.start()
        assert node.rows("SELECT count(*) FROM t") == [(2000,)]


def last_segment(node):
    return sorted(glob.glob(os.path.join(node.dir, "log", "wal-*.log")))[-1]


def used_size(path):
    """Up to the last byte that is not zero."""
    with open(path, "rb") as file:
        return len(file.read().rstrip(b"\0"))


@test
def a_torn_log_is_cut_and_made_good_by_the_others():
    with Cluster(nodes=3) as cluster:
        fill(cluster.nodes[0])
        victim = cluster.follower()
        victim.kill()
        path = last_segment(victim)
        os.truncate(path, used_size(path) - 10)
        victim.start()
        cluster.leader()
        for node in cluster.nodes:
            assert node.rows("SELECT count(*) FROM t") == [(200,)]


@test
def a_hole_in_the_log_is_refused():
    with Cluster(nodes=3) as cluster:
        fill(cluster.nodes[0], rows=2000)
        victim = cluster.follower()

        def has_all():
            state = cluster.leader().state()
            return all(member.match_index == state.last_log_index for member in state.nodes)
        wait_for(has_all, "the entries to be in all logs")
        victim.kill()
        path = last_segment(victim)
        damage(path, used_size(path) // 2, 200)
        refuses(victim, "wal-")
        for node in cluster.alive():
            assert node.rows("SELECT count(*) FROM t") == [(2000,)]
        assert "Keep this directory for inspection" in victim.log_text().splitlines()[-1]


@test
def a_disk_that_is_read_only():
    with small_disk(200) as disk, Cluster(nodes=1, directory=disk) as cluster:
        node = cluster.nodes[0]
        fill(node)
        stop_all(cluster)
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        node.log = tempfile.mktemp(dir=scratch, suffix=".log")
        node.start()
        assert node.exit_code() == 1
        assert "Read-only file system" in node.log_text().splitlines()[-1], node.log_text()[-300:]
        # What only reads goes on working.
        code, out, err = run([TOYDB, "check", "--data", node.dir])
        assert code == 0 and not err, (code, out, err)
        code, out, err = run([TOYDB, "dump-log", "--data", node.dir])
        assert code == 0 and out and not err, (code, out, err)
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        cluster.start()
        assert node.rows("SELECT count(*) FROM t") == [(200,)]


@test
def a_directory_that_cannot_be_made():
    with Cluster(nodes=1, start=False) as cluster:
        node = cluster.nodes[0]
        with open(node.dir, "w", encoding="utf-8") as file:
            file.write("not a directory")
        refuses(node, node.dir)


main()
