"""toysql: scripts, formats, exit codes, a terminal, embedded."""
import csv
import io
import json
import os
import re
import signal
import tempfile
import time

from harness import TOYSQL, Cluster, Terminal, main, popen, run, scratch, test

cluster = Cluster()
cluster.nodes[0].execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, price DOUBLE PRECISION)")
cluster.nodes[0].execute("INSERT INTO t VALUES (1, 'apple', 0.5), (2, 'a,\"b', NULL), (3, NULL, 2)")


def in_file(text):
    path = tempfile.mktemp(dir=scratch, suffix=".sql")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


@test
def command_line():
    code, out, err = cluster.toysql("-c", "SELECT 1 AS one", "-c", "SELECT 'x' AS two")
    assert code == 0 and not err, (code, err)
    assert "one" in out and "two" in out and "(1 row)" in out
    code, out, err = cluster.toysql("-c", "SELECT 1 AS one; SELECT nope; SELECT 3 AS three")
    assert code == 1 and "one" in out and "three" not in out and "42703" in err, (code, out, err)


@test
def files_and_standard_input():
    script = "-- a comment\nSELECT id\n  FROM t ORDER BY id;\nSELECT count(*) FROM t"
    for given in [("-f", in_file(script)), ()]:
        code, out, err = cluster.toysql(*given, stdin="" if given else script)
        assert code == 0 and not err, (code, err)
        assert "(3 rows)" in out and "(1 row)" in out, out
    code, out, err = cluster.toysql("-f", os.path.join(scratch, "no such file"))
    assert code != 0 and "no such file" in err.lower() and not out, (code, out, err)


@test
def a_script_stops_at_its_first_error_with_a_caret():
    code, out, err = cluster.toysql(stdin="SELECT 1 AS first;\nSELECT id,\n  nope FROM t;\nSELECT 2 AS last;\n")
    assert code == 1 and "first" in out and "last" not in out, (code, out)
    lines = err.splitlines()
    caret = next(n for n, line in enumerate(lines) if line.strip() == "^")
    assert lines[caret].index("^") == lines[caret - 1].index("nope"), err
    assert "LINE 3" in err, err


@test
def formats():
    sql = "SELECT id, name, price FROM t ORDER BY id"
    code, out, err = cluster.toysql("--format", "csv", "-c", sql)
    assert code == 0 and not err
    rows = list(csv.reader(io.StringIO(out)))
    assert rows == [["id", "name", "price"], ["1", "apple", "0.5"], ["2", 'a,"b', ""], ["3", "", "2"]], rows
    code, out, _ = cluster.toysql("--format", "tsv", "-c", sql)
    assert code == 0 and out.splitlines()[1].split("\t") == ["1", "apple", "0.5"], out
    code, out, _ = cluster.toysql("--format", "json", "-c", sql)
    assert code == 0 and json.loads(out) == [{"id": 1, "name": "apple", "price": 0.5},
                                             {"id": 2, "name": 'a,"b', "price": None},
                                             {"id": 3, "name": None, "price": 2}], out
    code, out, _ = cluster.toysql("--format", "line", "-c", sql)
    assert code == 0 and "apple" in out
    code, out, _ = cluster.toysql("--format", "table", "-c", sql)
    assert code == 0 and "NULL" in out and "(3 rows)" in out and "\033" not in out, out


@test
def a_reader_that_goes_away():
    code, out, _ = run(["sh", "-c", f"{TOYSQL} -H {cluster.addresses} -c "
                        "'SELECT a.id FROM t a, t b, t c, t d, t e, t f, t g, t h, t i' | head -n 1"])
    assert code == 0 and out, (code, out)


@test
def a_terminal():
    terminal = Terminal(TOYSQL, "-H", cluster.addresses)
    terminal.expect(r"toydb> $")
    assert "(3 rows)" in terminal.line("SELECT * FROM t;")
    terminal.send("SELECT id\n")
    terminal.expect(r"toydb-> $")
    terminal.send("FROM t\n")
    terminal.expect(r"toydb-> $")
    assert "(3 rows)" in terminal.line(";")
    assert "name" in terminal.line("\\d t") and "t" in terminal.line("\\dt")
    assert "leader" in terminal.line("\\status")
    terminal.line("BEGIN;", r"toydb\*> $")
    terminal.line("SELEC;", r"toydb!> $")
    terminal.line("ROLLBACK;", r"toydb> $")
    terminal.line("\\timing on")
    assert re.search(r"\d+(\.\d+)? (us|µs|ms|s)", terminal.line("SELECT 1;"))
    terminal.leave()


@test
def editing_and_watching():
    os.environ["EDITOR"] = "sed -i s/one/two/"
    terminal = Terminal(TOYSQL, "-H", cluster.addresses)
    terminal.expect(r"toydb> $")
    terminal.line("SELECT 'one'")
    assert "two" in terminal.line("\\e", r"toydb> $")
    assert "not run" in terminal.line("\\e", r"toydb> $")  # there is no one in it now
    terminal.send("SELECT 'begun\n")
    terminal.expect(r"toydb'> $")
    terminal.key("\x03", editing=True)
    terminal.expect(r"toydb> $")
    terminal.send("\\watch 0.01\n")
    for _ in range(3):
        terminal.expect(r"\(1 row\)")
    terminal.key("\x03", editing=False)
    terminal.expect(r"toydb> $")
    os.environ["EDITOR"] = "false"
    terminal.leave()


@test
def what_is_longer_than_the_screen():
    """Goes through the pager; one that is left early ends the statement, but not a transaction."""
    def rows(count):
        return f"SELECT x, 'row ' || x FROM generate_series(1, {count}) AS g (x);"
    terminal = Terminal(TOYSQL, "-H", cluster.addresses, pager="sed 's/row /paged /'")
    terminal.expect(r"toydb> $")
    assert "row 30" in terminal.line(rows(30))
    out = terminal.line(rows(50))
    assert "paged 50" in out and "row 1" not in out and "(50 rows)" in out, out
    assert "timing" in terminal.line("\\?") and "generate_series" in terminal.line("\\df")
    terminal.line("\\pager off")
    assert "row 50" in terminal.line(rows(50))
    terminal.leave()
    terminal = Terminal(TOYSQL, "-H", cluster.addresses, pager="head -n 3")
    terminal.expect(r"toydb> $")
    out = terminal.line(rows(1000000000))
    assert "row 1" in out and "ERROR" not in out and "rows)" not in out, out
    terminal.line("BEGIN;", r"toydb\*> $")
    terminal.line(rows(20000), r"toydb\*> $")
    assert "(1 row)" in terminal.line("SELECT 1;", r"toydb\*> $")
    terminal.line("COMMIT;", r"toydb> $")
    terminal.leave()
    terminal = Terminal(TOYSQL, "-H", cluster.addresses, pager="/no/such/pager")
    terminal.expect(r"toydb> $")
    assert "could not be run" in terminal.line(rows(50))
    assert "row 50" in terminal.line(rows(50))
    terminal.leave()


def ignored_signals(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        return int(re.search(r"^SigIgn:\s*(\w+)$", file.read(), re.M).group(1), 16)


@test
def a_pager_over_an_embedded_node():
    """Whose sockets must not end the process, before and after."""
    directory = os.path.join(tempfile.mkdtemp(dir=scratch), "data")
    terminal = Terminal(TOYSQL, "--embedded", directory, pager="sed 's/row /paged /'")
    terminal.expect(r"toydb> $")
    before = ignored_signals(terminal.process)
    assert before & 1 << signal.SIGPIPE - 1, before
    assert "paged 50" in terminal.line("SELECT x, 'row ' || x FROM generate_series(1, 50) AS g (x);")
    assert ignored_signals(terminal.process) == before
    terminal.leave()


@test
def completing():
    cluster.nodes[0].execute("CREATE TABLE completed (id INTEGER PRIMARY KEY, description TEXT)")
    terminal = Terminal(TOYSQL, "-H", cluster.addresses)
    terminal.expect(r"toydb> $")
    for keys, shown in [("sel\t", r"select $"), ("descri\t", r"description $"), ("fro\t", r"from $"),
                        ("comple\t", r"completed $"), (";\n", r"\(0 rows\)"), ("", r"toydb> $"), ("\\stat\t", r"status $"),
                        ("\n", r"toydb> $"), ("\\d\t", r"dt\+"), ("t\n", r"completed"), ("", r"toydb> $")]:
        terminal.send(keys)
        terminal.expect(shown)
    # Tabs of what is pasted are tabs.
    terminal.send("SELECT\t'a\tb' = E'a\\tb' AS\tsame;\n")
    assert re.search(r"same\s.*\(1 row\)", terminal.expect(r"\(1 row\)"), re.S)
    terminal.leave()


@test
def history_of_two_shells():
    """Neither forgets the other's; a statement of several lines is recalled as one."""
    path = os.path.join(scratch, "history")
    if os.path.exists(path):
        os.unlink(path)
    first, second = (Terminal(TOYSQL, "-H", cluster.addresses) for _ in range(2))
    for terminal, number in (first, 1), (second, 2):
        terminal.expect(r"toydb> $")
        terminal.send(f"SELECT {number} AS\n")
        terminal.expect(r"toydb-> $")
        assert f"of_{number}" in terminal.line(f"of_{number};")
    for terminal in (first, second):
        terminal.leave()
    assert os.stat(path).st_mode & 0o777 == 0o600
    with open(path, encoding="utf-8") as file:
        text = file.read()
    assert "of_1" in text and "of_2" in text, text
    third = Terminal(TOYSQL, "-H", cluster.addresses)
    third.expect(r"toydb> $")
    third.send("\x1b[A\x1b[A\n")  # up: the last entry is \\q
    third.expect(r"SELECT 2 AS of_2;(.|\n)*\(1 row\)")
    third.expect(r"toydb> $")
    third.leave()


@test
def leaving_as_soon_as_the_prompt_is_there():
    # With the processors busy the program is often stopped right behind its prompt.
    hogs = [popen(["sh", "-c", "while :; do :; done"]) for _ in range(3)]
    try:
        for _ in range(8):
            terminal = Terminal(TOYSQL, "-H", cluster.addresses)
            terminal.expect(r"toydb> $")
            assert "(1 row)" in terminal.line("SELECT 1;")
            terminal.send("\x04")
            assert terminal.end() == 0
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


@test
def interrupting_a_statement():
    cluster.nodes[0].execute("CREATE TABLE many (id INTEGER PRIMARY KEY)")
    cluster.nodes[0].execute("INSERT INTO many VALUES " + ",".join(f"({n})" for n in range(1000)))
    terminal = Terminal(TOYSQL, "-H", cluster.addresses)
    terminal.expect(r"toydb> $")
    terminal.send("SELECT count(*) FROM many a, many b, many c WHERE a.id + b.id + c.id < 0;\n")
    terminal.expect(r"c\.id < 0;\n")
    # Once the line is entered, whether or not the statement is on its way yet.
    terminal.key("\x03", editing=False)
    terminal.expect("57014")
    terminal.expect(r"toydb> $")
    assert "(1 row)" in terminal.line("SELECT 1;")
    terminal.send("SELECT 'half a line")
    terminal.expect("half a line")
    terminal.key("\x03", editing=True)
    terminal.expect(r"toydb> $")
    assert "(1 row)" in terminal.line("SELECT 2;")
    terminal.key("\x04", editing=True)
    assert terminal.end() == 0


@test
def the_shell_outlives_its_node():
    leader, others = cluster.roles()
    terminal = Terminal(TOYSQL, "-H", ",".join(n.address for n in [leader] + others))
    terminal.expect(r"toydb> $")
    terminal.line("INSERT INTO t VALUES (10, 'before', 1);")
    leader.kill()
    started = time.monotonic()
    terminal.send("INSERT INTO t VALUES (11, 'after', 1);\n")
    terminal.expect(r"INSERT 0 1")
    took = time.monotonic() - started
    print(f"# {took:.2f} s after the death of the leader it was connected to")
    terminal.expect(r"toydb> $")
    assert "11" in terminal.line("SELECT id FROM t WHERE id >= 10;")
    terminal.leave()
    leader.start()
    cluster.leader()


@test
def copying():
    script = ("CREATE TABLE copied (id INTEGER PRIMARY KEY, name TEXT);\n"
              "COPY copied FROM STDIN WITH (FORMAT csv, HEADER);\nid,name\n1,Ann\n2,\"B; \"\"b\"\"\"\n\\.\n"
              "COPY copied TO STDOUT WITH (FORMAT csv, HEADER);\n")
    code, out, err = cluster.toysql(stdin=script)
    assert code == 0 and not err, (code, err)
    assert out.endswith('id,name\n1,Ann\n2,"B; ""b"""\n'), out
    # Its data is no SQL even where it fails, and the next statement's line is right.
    code, out, err = cluster.toysql("-f", in_file(
        "COPY copied FROM STDIN;\n3\tC\nSELECT 1;\n\\.\nSELECT 2;\n"))
    assert code == 1 and not out and "22P02" in err and "line 2" in err, (code, out, err)
    code, out, err = cluster.toysql("-f", in_file(
        "COPY copied FROM STDIN;\n3\tC\n4\t\\N\n\\.\nSELECT count(*) AS n FROM copied;\nSELECT nope;\n"))
    assert code == 1 and "COPY 2" in out and "LINE 6" in err, (code, out, err)
    # The data may be the last there is, and is no part of a string that is open around it.
    for number, end in enumerate(("", "5\tE", "5\tE\n", "5\tE\n\\.", "5\tE\n\\.\n")):
        code, out, err = cluster.toysql(stdin="DELETE FROM copied;\nCOPY copied FROM STDIN;\n" + end)
        assert code == 0 and not err and f"COPY {min(number, 1)}" in out, (end, code, out, err)
    code, out, err = cluster.toysql(stdin="COPY copied FROM STDIN; SELECT 'a\n6\tF\n\\.\nb' = E'a\\nb' AS same")
    assert code == 0 and not err and " t" in out, (code, out, err)


@test
def copies_of_quoted_text():
    code, out, err = cluster.toysql("-c", "COPY (SELECT $$a\"b$$, $x$it's$x$, E'\\'') TO STDOUT")
    assert code == 0 and not err and out == "a\"b\tit's\t'\n", (code, out, err)


@test
def a_byte_order_mark():
    script = "\ufeffSELECT 'x' AS first;\nSELECT nope;\n"
    inner = in_file("\ufeff\\format csv\n" + script[1:])
    for given in (("-f", in_file(script)), (), ("-f", in_file(f"\ufeff\\i {inner}\n")),
                  ("-c", script)):
        code, out, err = cluster.toysql(*given, stdin="" if given else script)
        assert code == 1 and "first" in out and "42703" in err and "42601" not in err, (code, out, err)


@test
def copying_by_hand():
    terminal = Terminal(TOYSQL, "-H", cluster.addresses)
    terminal.expect(r"toydb> $")
    terminal.send("COPY copied FROM STDIN WITH (DELIMITER '|');\n")
    terminal.expect(r">> $")
    terminal.send("7|Seven\n")
    terminal.expect(r">> $")
    assert "COPY 1" in terminal.line("\\.")
    terminal.leave()
    _, out, _ = cluster.toysql("-c", "SELECT name FROM copied WHERE id = 7")
    assert "Seven" in out, out


@test
def copying_files():
    directory = os.path.join(tempfile.mkdtemp(dir=scratch), "data")
    given, taken = in_file("id,name\n1,Ann\n2,\"B, \"\"b\"\"\"\n"), os.path.join(scratch, "it's taken.tsv")
    code, out, err = run([TOYSQL, "--embedded", directory, "-c",
                          "CREATE TABLE c (id INTEGER PRIMARY KEY, name TEXT)", "-c",
                          f"\\copy c (id, name) FROM {given} WITH (FORMAT csv, HEADER)", "-c",
                          "\\copy (SELECT * FROM c WHERE name <> ' to ') TO '" + taken.replace("'", "''") + "'", "-c",
                          "\\copy c TO stdout csv"])
    assert code == 0 and not err and "COPY 2" in out and out.endswith('1,Ann\n2,"B, ""b"""\n'), (code, out, err)
    with open(taken, encoding="utf-8") as file:
        assert file.read() == '1\tAnn\n2\tB, "b"\n'
    for command in ("\\copy c", "\\copy FROM x", "\\copy c FROM /no/such/file", "\\copy c TO /no/such/file",
                    f"\\copy c (id) FROM {given}"):
        code, out, err = run([TOYSQL, "--embedded", directory, "-c", command, "-c", "SELECT 'on'"])
        assert code == 1 and not out and err, (command, code, out, err)
    # A pipe by name, as shells make for <(command).
    pipe = os.path.join(scratch, "pipe.sql")
    os.mkfifo(pipe)
    writer = popen(["sh", "-c", f"echo 'SELECT count(*) AS n FROM c;' > {pipe}"])
    code, out, err = run([TOYSQL, "--embedded", directory, "--format", "csv", "-f", pipe])
    assert (code, out) == (0, "n\n2\n"), (code, out, err)
    writer.wait()


@test
def the_last_statement_again():
    code, out, err = cluster.toysql(stdin="SELECT 1 AS one, 2 AS two \\gx\n\\g\n\\echo said  so\n\\p\n"
                                    "SELECT 3 AS three \\watch 0 4\nSELECT\n\\conninfo\n5 AS five\n\\g\n"
                                    "SELECT 6 AS six\n\\r\nSELECT 7; \\echo eight\n\\watch 0 2\n")
    assert code == 0 and not err, (code, err)
    assert "-[ RECORD 1 ]" in out and "one | two" in out and "said  so\nSELECT 1" in out, out
    assert out.count("three") == 4 and "five" in out and "six" not in out and out.count(" 7\n") == 3, out
    for script in ("\\g\n", "SELECT 1 \\watch x\n", "SELECT 1 \\g file\n", "\\e\n"):
        code, out, err = cluster.toysql(stdin=script)
        assert code == 1 and not out and err, (script, code, out, err)


SCHEMA = """
CREATE TABLE person (id INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name VARCHAR(20) NOT NULL DEFAULT 'n',
    "Odd Col" NUMERIC(9, 2) UNIQUE, s SERIAL, CONSTRAINT enough CHECK (s > 0));
CREATE TABLE pet (id INTEGER PRIMARY KEY, owner INTEGER REFERENCES person ON DELETE CASCADE);
CREATE INDEX by_name ON person (lower(name), s DESC) INCLUDE ("Odd Col") WHERE s > 5;
CREATE VIEW v AS SELECT name, count(*) AS n FROM person GROUP BY name;
CREATE SEQUENCE tickets START 100 MAXVALUE 1000 CYCLE;
COMMENT ON TABLE person IS 'who is there';
COMMENT ON COLUMN person.name IS 'as spoken';
"""


@test
def describing():
    directory = os.path.join(tempfile.mkdtemp(dir=scratch), "data")

    def ask(*commands):
        given = [word for command in commands for word in ("-c", command)]
        return run([TOYSQL, "--embedded", directory, *given])
    code, out, err = ask("\\d", "\\dv")
    assert code == 0 and not err and "no tables" in out and "no views" in out, (code, out, err)
    code, _, err = ask(SCHEMA)
    assert code == 0 and not err, (code, err)
    code, out, err = ask("\\d person")
    assert code == 0 and not err, (code, err)
    for line in ["Table person", "generated always as identity", "character varying(20) | not null | 'n' ", "as spoken",
                 "    person_pkey PRIMARY KEY (id)\n",
                 '    by_name (lower(name), s DESC) INCLUDE ("Odd Col") WHERE s > 5\n',
                 '    "person_Odd Col_key" UNIQUE CONSTRAINT ("Odd Col")\n', "    enough CHECK (s > 0)\n",
                 "    table pet: pet_owner_fkey FOREIGN KEY (owner) REFERENCES person (id) ON DELETE CASCADE\n",
                 "    person_s_seq of column s\n", "Comment:\n    who is there\n"]:
        assert line in out, (line, out)
    code, out, err = ask("\\d pet", "\\d+ v", "\\d TICKETS", "\\d by_name", "\\d toydb_internal.nodes")
    assert code == 0 and not err, (code, err)
    for line in ["Foreign keys:\n    pet_owner_fkey FOREIGN KEY (owner) REFERENCES person (id)", "View v\n",
                 " n      | integer\n", "count(*) AS n", "Sequence tickets\n",
                 "bigint from 100 by 1, least 1, greatest 1000, cycles\n", "Index by_name\n",
                 " is_here      | boolean\n"]:
        assert line in out, (line, out)
    assert "Size:" in ask("\\d+ pet")[1]
    code, out, err = ask("\\d", "\\dt", "\\dt+", "\\di", "\\dv", "\\ds", "\\df lower", "\\dn", "\\l", "\\du")
    assert code == 0 and not err, (code, err)
    for line in [" pet ", " tickets ", "| primary key", "toydb_internal", "There is one database"]:
        assert line in out, (line, out)
    code, out, err = ask("\\dt p*", "\\dt x*", "\\d p?t")
    assert code == 0 and "(2 rows)" in out and "No table is named like x*" in out and "Table pet" in out, (code, out, err)
    code, out, err = ask("\\d persn")
    assert code == 1 and "42P01" in err and '"person"' in err, (code, out, err)
    for command, said in [("\\d x*", "nothing is named like"), (".tables", "\\dt"), ("\\nonsense", "\\?")]:
        code, out, err = ask(command)
        assert code == 1 and said in err, (code, out, err)


@test
def too_much_for_one_transaction():
    """What a table larger than a commit may be is told to do instead."""
    directory = tempfile.mkdtemp(dir=scratch)
    wide = "INSERT INTO wide SELECT i, repeat('x', 1000000) FROM generate_series(%d, %d) AS g (i)"
    code, out, err = run([TOYSQL, "--embedded", directory, "-c", "SET require_primary_key = off",
                          "-c", "CREATE TABLE wide (a INTEGER, b TEXT)",
                          "-c", wide % (1, 25), "-c", wide % (26, 50)])
    assert code == 0, (code, out, err)
    for statement, hint in [
            ("ALTER TABLE wide ADD PRIMARY KEY (a)", "Create another table"),
            ("ALTER TABLE wide ADD COLUMN u UUID DEFAULT gen_random_uuid()", "without a DEFAULT"),
            ("ALTER TABLE wide ADD COLUMN s SERIAL", "without a DEFAULT")]:
        code, out, err = run([TOYSQL, "--embedded", directory, "-c", statement])
        assert code == 1 and "53200" in err and hint in err, (statement, code, out, err)
    code, out, err = run([TOYSQL, "--embedded", directory, "--format", "csv", "-c",
                          "ALTER TABLE wide ADD COLUMN u UUID", "-c",
                          "UPDATE wide SET u = gen_random_uuid() WHERE a <= 25", "-c",
                          "UPDATE wide SET u = gen_random_uuid() WHERE a > 25", "-c",
                          "ALTER TABLE wide ALTER COLUMN u SET DEFAULT gen_random_uuid()", "-c",
                          "SELECT count(DISTINCT u) AS n FROM wide"])
    assert code == 0 and out.split()[-1] == "50", (code, out, err)


@test
def embedded():
    directory = os.path.join(tempfile.mkdtemp(dir=scratch), "data")
    code, out, err = run([TOYSQL, "--embedded", directory, "-c",
                          "CREATE TABLE e (id INTEGER PRIMARY KEY); INSERT INTO e VALUES (1), (2)"])
    assert code == 0 and not err, (code, out, err)
    code, out, err = run([TOYSQL, "--embedded", directory, "--format", "csv", "-c", "SELECT count(*) AS n FROM e"])
    assert code == 0 and out == "n\n2\n", (code, out, err)
    code, out, err = run([TOYSQL, "--embedded", directory], stdin="SELECT nope;")
    assert code == 1 and "42703" in err, (code, err)


with cluster:
    main()
