"""Transactions on different nodes of one cluster: serializable, and strictly so."""
import threading

from harness import Cluster, SqlError, main, raises, test

cluster = Cluster()
tables = 0


def table(columns, *rows):
    """A fresh table with these rows; its name."""
    global tables
    tables += 1
    name = f"t{tables}"
    cluster.nodes[0].execute(f"CREATE TABLE {name} ({columns})")
    for row in rows:
        cluster.nodes[0].execute(f"INSERT INTO {name} VALUES {row}")
    return name


def two():
    """Sessions on two nodes that do not lead."""
    _, others = cluster.roles()
    return others[0].session(), others[1].session()


def conflict(first, second, name):
    """Both commit; the second must be told to try again."""
    first.execute("COMMIT")
    with raises("40001") as error:
        second.execute("COMMIT")
    assert error.value.state == 0, "a failed COMMIT ends the transaction"
    assert name in error.value.message + error.value.detail, f"which table? {error.value.detail}"
    second.execute("BEGIN")  # the session goes on
    second.execute("ROLLBACK")
    first.close()
    second.close()


def race(name, look, seen, *changes):
    """Two transactions that read the same and write past each other."""
    sessions = two()
    for session in sessions:
        session.execute("BEGIN")
        assert session.execute(f"SELECT {look}").rows == seen
    for session, change in zip(sessions, changes):
        session.execute(change)
    conflict(*sessions, name)


@test
def write_skew():
    name = table("id INTEGER PRIMARY KEY, on_call BOOLEAN", "(1, true), (2, true)")
    race(name, f"count(*) FROM {name} WHERE on_call", [(2,)],
         f"UPDATE {name} SET on_call = false WHERE id = 1",
         f"UPDATE {name} SET on_call = false WHERE id = 2")
    assert cluster.nodes[4].rows(f"SELECT id FROM {name} WHERE on_call") == [(2,)]


@test
def lost_update():
    name = table("id INTEGER PRIMARY KEY, balance INTEGER", "(7, 100)")
    race(name, f"balance FROM {name} WHERE id = 7", [(100,)],
         f"UPDATE {name} SET balance = 110 WHERE id = 7",
         f"UPDATE {name} SET balance = 120 WHERE id = 7")
    assert cluster.nodes[4].rows(f"SELECT balance FROM {name}") == [(110,)]


@test
def phantom():
    name = table("id INTEGER PRIMARY KEY, day INTEGER", "(1, 1), (2, 2)")
    race(name, f"id FROM {name} WHERE day = 3", [],
         f"INSERT INTO {name} VALUES (3, 3)",
         f"INSERT INTO {name} VALUES (4, 3)")
    assert cluster.nodes[4].rows(f"SELECT id FROM {name} WHERE day = 3") == [(3,)]


@test
def a_transaction_sees_one_state():
    name = table("id INTEGER PRIMARY KEY, n INTEGER", "(1, 1)")
    reader, writer = two()
    reader.execute("BEGIN")
    assert reader.execute(f"SELECT n FROM {name}").rows == [(1,)]
    writer.execute(f"UPDATE {name} SET n = 2")
    writer.execute(f"INSERT INTO {name} VALUES (2, 2)")
    assert reader.execute(f"SELECT n FROM {name}").rows == [(1,)]
    reader.execute("COMMIT")  # it only read: nothing to refuse
    assert reader.execute(f"SELECT n FROM {name} ORDER BY id").rows == [(2,), (2,)]
    reader.close()
    writer.close()


@test
def uncommitted_rows_are_the_transactions_own():
    name = table("id INTEGER PRIMARY KEY")
    first, second = two()
    first.execute("BEGIN")
    first.execute(f"INSERT INTO {name} VALUES (1)")
    assert first.execute(f"SELECT id FROM {name}").rows == [(1,)]
    assert second.execute(f"SELECT id FROM {name}").rows == []
    assert first.execute("ROLLBACK").state == 0
    assert first.execute(f"SELECT id FROM {name}").rows == []
    first.close()
    second.close()


@test
def every_node_sees_what_was_acknowledged():
    name = table("id INTEGER PRIMARY KEY")
    for number in range(50):
        cluster.nodes[number % 5].execute(f"INSERT INTO {name} VALUES ({number})")
        for step in range(1, 5):
            rows = cluster.nodes[(number + step) % 5].rows(f"SELECT count(*) FROM {name}")
            assert rows == [(number + 1,)], (number, step, rows)


@test
def the_end_of_the_stream_rolls_back():
    name = table("id INTEGER PRIMARY KEY")
    for end in "close", "drop":
        session = cluster.nodes[1].session()
        session.execute("BEGIN")
        session.execute(f"INSERT INTO {name} VALUES (1)")
        getattr(session, end)()
        assert cluster.nodes[2].rows(f"SELECT count(*) FROM {name}") == [(0,)]
    cluster.nodes[1].execute(f"INSERT INTO {name} VALUES (1)")


@test
def a_request_id_runs_once():
    name = table("id INTEGER PRIMARY KEY, n INTEGER", "(1, 0)")
    for node in cluster.nodes:
        result = node.execute(f"UPDATE {name} SET n = n + 1", request_id=b"only once")
        assert result.tags == ["UPDATE 1"], result.tags
    assert cluster.nodes[3].rows(f"SELECT n FROM {name}") == [(1,)]
    cluster.nodes[0].execute(f"UPDATE {name} SET n = n + 1", request_id=b"another")
    assert cluster.nodes[3].rows(f"SELECT n FROM {name}") == [(2,)]


def at_once(statements):
    """Runs each statement on another node, all at once; what each got: 'ok' or an SQLSTATE."""
    got = [None] * len(statements)
    gate = threading.Barrier(len(statements))

    def one(number):
        gate.wait()
        try:
            cluster.nodes[number % 5].execute(statements[number])
            got[number] = "ok"
        except SqlError as error:
            got[number] = error.sqlstate

    threads = [threading.Thread(target=one, args=(n,)) for n in range(len(statements))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


@test
def one_of_many_inserts_of_a_key_wins():
    name = table("id INTEGER PRIMARY KEY, email TEXT UNIQUE")
    for turn in range(10):
        got = at_once([f"INSERT INTO {name} VALUES ({turn}, '{n}.{turn}')" for n in range(10)])
        assert sorted(got) == ["23505"] * 9 + ["ok"], got
        got = at_once([f"INSERT INTO {name} VALUES ({100 * (n + 1) + turn}, 'same {turn}')"
                       for n in range(10)])
        assert sorted(got) == ["23505"] * 9 + ["ok"], got
    assert cluster.nodes[0].rows(f"SELECT count(*) FROM {name}") == [(20,)]


@test
def a_unique_key_between_transactions():
    name = table("id INTEGER PRIMARY KEY, email TEXT UNIQUE")
    first, second = two()
    for number, session in enumerate([first, second]):
        session.execute("BEGIN")
        session.execute(f"INSERT INTO {name} VALUES ({number}, 'me@example.org')")
    conflict(first, second, name)
    assert cluster.nodes[0].rows(f"SELECT id FROM {name}") == [(0,)]


@test
def a_child_and_the_deletion_of_its_parent():
    parent = table("id INTEGER PRIMARY KEY", "(1), (2)")
    child = table(f"id INTEGER PRIMARY KEY, parent INTEGER REFERENCES {parent}")
    first, second = two()
    first.execute("BEGIN")
    second.execute("BEGIN")
    first.execute(f"INSERT INTO {child} VALUES (1, 1)")
    second.execute(f"DELETE FROM {parent} WHERE id = 1")
    first.execute("COMMIT")
    with raises("40001", "23503"):
        second.execute("COMMIT")
    with raises("23503"):
        second.execute(f"DELETE FROM {parent} WHERE id = 1")
    first.close()
    second.close()
    for number in range(10, 20):
        cluster.nodes[0].execute(f"INSERT INTO {parent} VALUES ({number})")
        got = at_once([f"DELETE FROM {parent} WHERE id = {number}",
                       f"INSERT INTO {child} VALUES ({number}, {number})"])
        assert sorted(got) == ["23503", "ok"], got
    orphans = cluster.nodes[0].rows(
        f"SELECT c.id FROM {child} c LEFT JOIN {parent} p ON c.parent = p.id "
        "WHERE p.id IS NULL AND c.parent IS NOT NULL")
    assert orphans == [], orphans


@test
def increments_are_not_lost():
    name = table("id INTEGER PRIMARY KEY, n INTEGER", "(1, 0)")
    for _ in range(5):
        assert at_once([f"UPDATE {name} SET n = n + 1 WHERE id = 1"] * 10) == ["ok"] * 10
    assert cluster.nodes[2].rows(f"SELECT n FROM {name}") == [(50,)]


@test
def tables_made_at_once():
    got = at_once(["CREATE TABLE same (id INTEGER PRIMARY KEY)"] * 5)
    assert sorted(got) == ["42P07"] * 4 + ["ok"], got
    session = cluster.nodes[1].session()
    session.execute("BEGIN")
    session.execute("CREATE TABLE undone (id INTEGER PRIMARY KEY)")
    session.execute("INSERT INTO undone VALUES (1)")
    session.execute("ROLLBACK")
    with raises("42P01"):
        session.execute("SELECT * FROM undone")
    session.close()


@test
def a_failed_transaction_wants_a_rollback():
    name = table("id INTEGER PRIMARY KEY", "(1)")
    session = cluster.nodes[1].session()
    session.execute("BEGIN")
    session.execute(f"INSERT INTO {name} VALUES (2)")
    with raises("23505") as error:
        session.execute(f"INSERT INTO {name} VALUES (1)")
    assert error.value.state == 2
    with raises("25P02"):
        session.execute("SELECT 1")
    assert session.execute("COMMIT").tags == ["ROLLBACK"]
    assert session.execute(f"SELECT id FROM {name}").rows == [(1,)]
    session.close()


with cluster:
    main()
