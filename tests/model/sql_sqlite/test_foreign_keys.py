"""Foreign keys with actions against a dull model: three tables, random foreign keys between them and
onto themselves, random statements. Both must agree on whether a statement is refused, and on every
row after it.

The model works in waves, as src/sql/exec/cascade.c says: what a statement has changed, then what
that brings about, and so on; in the end no reference may dangle.

usage: test_foreign_keys.py SQL_PIPE [SEEDS [FIRST]]
"""
import random
import subprocess
import sys

TABLES, COLUMNS, STATEMENTS, WAVES = 3, ("id", "a", "b"), 60, 1000
ACTIONS = ("NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT")


class Refused(Exception):
    pass


class Model:
    def __init__(self):
        self.rows = [{} for _ in range(TABLES)]  # identity -> [id, a, b]
        self.keys = []  # child, column, parent, on delete, on update
        self.serial = 0

    def consistent(self):
        for table in self.rows:
            ids = [row[0] for row in table.values()]
            if None in ids or len(set(ids)) < len(ids):
                raise Refused
        for child, column, parent, _, _ in self.keys:
            have = {row[0] for row in self.rows[parent].values()}
            if any(row[column] is not None and row[column] not in have
                   for row in self.rows[child].values()):
                raise Refused

    def unique(self):
        for table in self.rows:
            ids = [row[0] for row in table.values()]
            if None in ids or len(set(ids)) < len(ids):
                raise Refused

    def find(self, wave):
        """(table, identity) -> None to delete it, or {column: value}"""
        found = {}
        for table, old, new in wave:
            for child, column, parent, on_delete, on_update in self.keys:
                if parent != table or old is None or (new and new[0] == old[0]):
                    continue
                action = on_update if new else on_delete
                for identity, row in self.rows[child].items():
                    if row[column] != old[0] or action == "NO ACTION":
                        continue
                    if action == "RESTRICT":
                        raise Refused
                    place = (child, identity)
                    if action == "CASCADE" and not new:
                        found[place] = None
                    elif found.setdefault(place, {}) is not None:
                        value = {"CASCADE": new and new[0], "SET NULL": None,
                                 "SET DEFAULT": 1 if column else None}[action]
                        found[place][column] = value
        return found

    def change(self, found):
        wave = []
        for (table, identity), what in found.items():
            old = self.rows[table][identity]
            if what is None:
                del self.rows[table][identity]
                wave.append((table, old, None))
            else:
                new = [what.get(i, value) for i, value in enumerate(old)]
                self.rows[table][identity] = new
                wave.append((table, old, new))
        self.unique()
        return wave

    def run(self, statement):
        """True when it is done."""
        before = [dict(table) for table in self.rows]
        try:
            wave = statement(self)
            self.unique()
            for _ in range(WAVES):
                found = self.find(wave)
                if not found:
                    break
                wave = self.change(found)
            else:
                raise Refused
            self.consistent()
            return True
        except Refused:
            self.rows = before
            return False

    def insert(self, table, rows):
        wave = []
        for row in rows:
            self.serial += 1
            self.rows[table][self.serial] = list(row)
            wave.append((table, None, list(row)))
        return wave

    def update(self, table, ids, function):
        """function(row) gives the row as it will be, or None."""
        wave = []
        for identity, old in list(self.rows[table].items()):
            if old[0] not in ids:
                continue
            new = function(old)
            if new is None:
                del self.rows[table][identity]
            else:
                self.rows[table][identity] = new
            wave.append((table, old, new))
        return wave


class Engine:
    def __init__(self, program):
        self.pipe = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self, sql):
        self.pipe.stdin.write(sql.encode() + b"\n")
        self.pipe.stdin.flush()
        answer = []
        while (said := self.pipe.stdout.readline().decode().rstrip("\n")) != ".":
            answer.append(said)
        return answer

    def done(self, sql):
        return not any(said.startswith("ERROR") for said in self.run(sql))


def text(value):
    return "NULL" if value is None else str(value)


def statement(rnd, table):
    """The statement for both."""
    some = rnd.sample(range(1, 9), rnd.randint(1, 4))
    where = f"WHERE id IN ({', '.join(map(str, some))})"
    kind = rnd.randrange(5)
    if kind < 2:
        rows = [[i] + [rnd.choice([None, rnd.randint(1, 8)]) for _ in "ab"] for i in some]
        values = ", ".join(f"({', '.join(map(text, row))})" for row in rows)
        return f"INSERT INTO t{table} VALUES {values}", lambda m: m.insert(table, rows)
    if kind == 2:
        return f"DELETE FROM t{table} {where}", lambda m: m.update(table, some, lambda row: None)
    if kind == 3:
        step = rnd.choice([-1, 1, 2, 10, -10])
        return (f"UPDATE t{table} SET id = id + {step} {where}",
                lambda m: m.update(table, some, lambda row: [row[0] + step] + row[1:]))
    column, value = rnd.choice((1, 2)), rnd.choice([None, rnd.randint(1, 8)])
    return (f"UPDATE t{table} SET {COLUMNS[column]} = {text(value)} {where}",
            lambda m: m.update(table, some, lambda row: [value if i == column else old
                                                         for i, old in enumerate(row)]))


def one_seed(engine, seed):
    """The number of statements, or a text that says what went wrong."""
    rnd = random.Random(seed)
    model = Model()
    for table in range(TABLES):
        engine.run(f"CREATE TABLE t{table} (id INTEGER PRIMARY KEY, a INTEGER DEFAULT 1, b INTEGER DEFAULT 1)")
    for child in range(TABLES):
        for column in range(3):
            if rnd.random() < (0.2 if column == 0 else 0.5):
                parent = rnd.randrange(TABLES)
                key = (child, column, parent, rnd.choice(ACTIONS), rnd.choice(ACTIONS))
                model.keys.append(key)
                engine.run(f"ALTER TABLE t{child} ADD FOREIGN KEY ({COLUMNS[column]}) REFERENCES t{parent} "
                           f"ON DELETE {key[3]} ON UPDATE {key[4]}")
    problem = None
    for _ in range(STATEMENTS):
        sql, run = statement(rnd, rnd.randrange(TABLES))
        wanted, got = model.run(run), engine.done(sql)
        if wanted != got:
            problem = f"seed {seed}: {sql}: {'done' if got else 'refused'}; {model.keys}"
        for table in range(TABLES):
            have = sorted(tuple(row) for row in model.rows[table].values())
            rows = engine.run(f"SELECT concat(id, ',', coalesce(a, 0), ',', coalesce(b, 0)) FROM t{table} ORDER BY id")
            wish = [",".join(str(value or 0) for value in row) for row in
                    sorted(have, key=lambda row: row[0])]
            if not problem and [said for said in rows if said.count(",") == 2] != wish:
                problem = f"seed {seed}: {sql}: t{table} has {rows}, wanted {wish}; {model.keys}"
        if problem:
            break
    for child, column, _, _, _ in model.keys:
        engine.run(f"ALTER TABLE t{child} DROP CONSTRAINT t{child}_{COLUMNS[column]}_fkey")
    for table in range(TABLES):
        engine.run(f"DROP TABLE t{table}")
    return problem or STATEMENTS


def main():
    engine = Engine(sys.argv[1])
    seeds = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    count, good = 0, True
    for seed in range(first, first + seeds):
        result = one_seed(engine, seed)
        if isinstance(result, str):
            print(f"# {result}")
            good = False
        else:
            count += result
    engine.pipe.stdin.close()
    good = engine.pipe.wait() == 0 and good and count > 0
    print(f"1..1\n{'ok' if good else 'not ok'} 1 - {count} statements under foreign keys")
    return 0 if good else 1


sys.exit(main())
