"""toydb check --data, toydb page, toydb dump-log: what they say of good directories and of damaged
ones, and that they change nothing."""
import glob
import hashlib
import os
import re
import shutil
import subprocess
import tempfile

from harness import BUILD, TOYDB, Cluster, main, run, scratch, test

ALTER = os.path.join(BUILD, "tests", "e2e", "alter")
PARENT, CHILD = "2000000064", "2000000065"  # what the keys of the first two tables begin with


def fill(node, rows=300):
    node.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INTEGER)")
    node.execute("CREATE TABLE child (a TEXT, b INTEGER, parent INTEGER REFERENCES parent (id), "
                 "PRIMARY KEY (a, b))")
    node.execute("CREATE INDEX parent_n ON parent (n DESC)")
    for start in range(0, rows, 100):
        numbers = range(start, start + 100)
        node.execute("INSERT INTO parent VALUES " + ",".join(
            f"({n}, 'name {n}', {n % 7 if n % 5 else 'NULL'})" for n in numbers))
        node.execute("INSERT INTO child VALUES " + ",".join(
            f"('{chr(97 + n % 26)}', {n}, {n if n % 3 else 'NULL'})" for n in numbers))
    node.execute("UPDATE parent SET n = n + 1 WHERE id % 2 = 0")
    node.execute("DELETE FROM child WHERE b % 10 = 0")
    node.execute("ALTER TABLE parent ADD COLUMN later TEXT DEFAULT 'x'")
    node.execute("UPDATE parent SET later = repeat('long', 3000) WHERE id = 17")


def check(directory):
    """(exit code, lines)"""
    code, out, err = run([TOYDB, "check", "--data", directory])
    return code, out.splitlines() + err.splitlines()


def tool(*arguments):
    return run([TOYDB, *arguments])


def alter(directory, *arguments):
    subprocess.run([ALTER, os.path.join(directory, "data.toydb"), *arguments], check=True)


def fingerprint(directory):
    prints = {}
    for root, _, names in os.walk(directory):
        for name in names:
            with open(os.path.join(root, name), "rb") as file:
                prints[os.path.join(root, name)] = hashlib.sha256(file.read()).hexdigest()
    return prints


def good_directory(kill=False):
    """A stopped node's directory with some tables in it; copies of it may be damaged."""
    with Cluster(nodes=1) as cluster:
        node = cluster.nodes[0]
        fill(node)
        if kill:
            node.kill()
        else:
            assert node.stop() == 0
        kept = tempfile.mkdtemp(dir=scratch)
        shutil.copytree(node.dir, kept, dirs_exist_ok=True)
    return kept


def copy(directory):
    other = tempfile.mkdtemp(dir=scratch)
    shutil.copytree(directory, other, dirs_exist_ok=True)
    return other


def expect(directory, *patterns):
    """Damage is found, and some line says each of these."""
    code, lines = check(directory)
    text = "\n".join(lines)
    assert code == 1, (code, text)
    for pattern in patterns:
        assert re.search(pattern, text), f"no {pattern} in: {text}"
    assert re.search(r"\d+ problems?$", lines[-1]), lines[-1]
    return lines


@test
def what_is_good():
    for kill in (False, True):
        directory = good_directory(kill)
        before = fingerprint(directory)
        code, lines = check(directory)
        assert code == 0, lines
        assert lines[-1].endswith("no problems"), lines
        if not kill:
            assert "2 tables with 570 rows" in lines[-2], lines
        assert fingerprint(directory) == before, "looking has changed something"


@test
def nodes_of_a_cluster_that_were_killed():
    with Cluster(nodes=3) as cluster:
        fill(cluster.nodes[0])
        for node in cluster.nodes:
            node.kill()
        for node in cluster.nodes:
            code, lines = check(node.dir)
            assert code == 0, lines
        cluster.start()
        code, lines = check(cluster.nodes[0].dir)
        assert code == 2 and "stop it, or look at a copy" in lines[-1], (code, lines)
        assert cluster.nodes[0].rows("SELECT count(*) FROM parent") == [(300,)]


@test
def what_is_not_there():
    code, lines = check(os.path.join(scratch, "nowhere"))
    assert code == 2 and "is not the data directory of a node" in lines[0], (code, lines)
    assert not os.path.exists(os.path.join(scratch, "nowhere"))
    code, out, err = tool("page", "0", "--data", os.path.join(scratch, "nowhere"))
    assert code == 2 and not out and err, (code, out, err)
    code, out, err = tool("dump-log", "--data", os.path.join(scratch, "nowhere"))
    assert code == 2 and not out and err, (code, out, err)
    for arguments in (["check"], ["check", "--data", "x", "--cluster"], ["page", "--data", "x"],
                      ["page", "one", "--data", "x"], ["dump-log"], ["dump-log", "--from", "0"]):
        assert tool(*arguments)[0] == 64, arguments


@test
def a_damaged_page():
    directory = good_directory()
    path = os.path.join(directory, "data.toydb")
    _, out, _ = tool("page", "0", "--data", directory)
    _, other, _ = tool("page", "1", "--data", directory)
    newest = out if "it is the newest" in out else other
    root = int(re.search(r"root page (\d+)", newest).group(1))
    code, out, _ = tool("page", str(root), "--data", directory)
    assert code == 0 and "as the root" in out and "checksum  good" in out, out
    leaf = int(re.findall(r"-> page (\d+)", out)[-1])
    code, out, _ = tool("page", str(leaf), "--data", directory)
    assert code == 0 and f"under page {root}" in out, out
    with open(path, "r+b") as file:
        file.seek(leaf * 4096 + 3000)
        file.write(b"damage")
    code, out, _ = tool("page", str(leaf), "--data", directory)
    assert code == 1 and "WRONG" in out, out
    expect(directory, rf"tree: page {leaf}: ", "could not be read to its end|tree: ")


@test
def an_index_entry_that_is_gone():
    directory = good_directory()
    alter(directory, "--remove", PARENT + "0001")
    expect(directory, r'table "parent": row \(id\)=\(0\) has no entry in index "parent_name_key"')
    alter(directory, "--remove", CHILD + "0001")
    expect(directory, r'table "parent": row .* has no entry in index "parent_name_key"',
           r'table "child": row \(a, b\)=\(\w, \d+\) has no entry in index "child_parent_fkey_idx"')


@test
def an_index_entry_too_many():
    directory = good_directory()
    alter(directory, "--copy", CHILD + "0001")
    expect(directory, r'table "child": entry \(parent\)=\(\d+\) of index "child_parent_fkey_idx" '
                      r'leads to no row')


@test
def a_row_that_is_gone():
    directory = good_directory()
    alter(directory, "--remove", PARENT + "0000" + "018000000000000001")
    expect(directory, r'entry \(name\)=\(name 1\) of index "parent_name_key" leads to no row',
           r'table "child": row \(a, b\)=\(b, 1\) has no parent by foreign key "child_parent_fkey"')


@test
def a_row_with_another_value():
    directory = good_directory()
    alter(directory, "\xa6name 2", "\xc7name 2") if False else alter(directory, "name 2", "name 3")
    expect(directory, r'table "parent"')


@test
def a_schema_that_does_not_load():
    directory = good_directory()
    alter(directory, "--remove", "2000000002" + "0000" + "018000000000000065")  # the row of "child"
    expect(directory, "schema: ")


@test
def a_damaged_log():
    directory = good_directory()
    code, out, _ = tool("dump-log", "--data", directory)
    assert code == 0, out
    entries = re.findall(r"^ *(\d+)  entry (\d+) term \d+, \d+ bytes: (.*)$", out, re.MULTILINE)
    assert any(text.startswith("transaction version") for _, _, text in entries), out
    code, out, _ = tool("dump-log", "--data", directory, "--from", "3", "--to", "5")
    assert re.findall(r"entry (\d+) term", out) == ["3", "4", "5"], out
    offset = int(entries[len(entries) // 2][0])
    path = sorted(glob.glob(os.path.join(directory, "log", "wal-*.log")))[-1]
    with open(path, "r+b") as file:
        file.seek(offset + 44)
        file.write(b"damage")
    code, out, _ = tool("dump-log", "--data", directory)
    assert code == 1 and f"{offset}  DAMAGED" in out, out
    expect(directory, rf"log: .*{os.path.basename(path)}.* at offset {offset}")


@test
def a_log_that_was_lost():
    directory = good_directory()
    for path in glob.glob(os.path.join(directory, "log", "wal-*")):
        os.unlink(path)
    expect(directory, "log: is missing")
    shutil.rmtree(os.path.join(directory, "log"))
    expect(directory, "log: is missing")
    os.unlink(os.path.join(directory, "data.toydb"))
    expect(directory, "data.toydb.* is missing")
    directory = good_directory()
    os.unlink(os.path.join(directory, "IDENTITY"))
    expect(directory, "IDENTITY: is missing")


main()
