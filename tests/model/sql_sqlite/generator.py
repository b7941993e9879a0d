"""Random tables, changes and queries, and a pipe to the program that runs them."""
import random
import subprocess

TYPES = {"I": "INTEGER", "D": "DOUBLE PRECISION", "T": "TEXT", "B": "BOOLEAN"}
TEXTS = ["", "a", "b", "ab", "abc", "A", "B", "zz", "a%", "a_b", "0", "10", "é", "aé"]
DOUBLES = ["0.0", "0.5", "1.5", "-2.25", "3.0", "1e2", "0.125", "-0.5", "10.0"]


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.pick = self.random.choice
        self.tables = {}
        for i in range(self.random.randint(2, 4)):
            columns = [("id", "I")]
            for j in range(self.random.randint(1, 5)):
                columns.append((f"c{j}", self.pick("IIIDTTB")))
            self.tables[f"t{i}"] = columns
        self.nested = 0  # subqueries around the place being written
        self.aliases = 0
        self.withs = {}  # names of WITH in sight
        self.changed = None  # SQLite's subqueries may see the half-done change of this table

    def chance(self, part):
        return self.random.random() < part

    # ---- schema and data

    def schema(self):
        for name, columns in self.tables.items():
            parts = ["id INTEGER PRIMARY KEY"]
            for column, kind in columns[1:]:
                part = f"{column} {TYPES[kind]}"
                if self.chance(0.12):
                    part += " NOT NULL"
                if self.chance(0.1):
                    part += " UNIQUE"
                if kind == "I" and self.chance(0.12):
                    part += f" REFERENCES {self.pick([t for t in self.tables if t <= name])} (id)"
                if self.chance(0.1):
                    part += f" DEFAULT {self.literal(kind)}"
                parts.append(part)
            yield f"CREATE TABLE {name} ({', '.join(parts)})"
            for i in range(self.random.randint(0, 2)):
                chosen = self.random.sample(columns, min(len(columns), self.random.randint(1, 2)))
                unique = "UNIQUE " if self.chance(0.15) else ""
                keys = ", ".join(c + self.pick(["", "", " DESC"]) for c, _ in chosen)
                yield f"CREATE {unique}INDEX {name}_i{i} ON {name} ({keys})"

    def insert(self):
        name = self.pick(list(self.tables))
        self.changed = name
        columns = [c for c in self.tables[name] if c[0] == "id" or self.chance(0.85)]
        names = ", ".join(c for c, _ in columns)
        if self.chance(0.1):
            source = self.pick(list(self.tables))
            scope = [("", self.tables[source])]
            values = [f"id + {self.pick([0, 40, 80])}"]
            values += [self.expression(scope, kind, 2) for _, kind in columns[1:]]
            return (f"INSERT INTO {name} ({names}) SELECT {', '.join(values)} FROM {source} "
                    f"WHERE {self.expression(scope, 'B', 1)}")
        rows = []
        for _ in range(self.pick([1, 1, 1, 2, 4])):
            values = [str(self.random.randint(0, 60))]
            for _, kind in columns[1:]:
                small = kind == "I" and self.chance(0.4)
                values.append(str(self.random.randint(0, 30)) if small else self.literal(kind))
            rows.append(f"({', '.join(values)})")
        return f"INSERT INTO {name} ({names}) VALUES {', '.join(rows)}"

    def update(self):
        name = self.pick(list(self.tables))
        self.changed = name
        scope = [("", self.tables[name])]
        if self.chance(0.1):
            changes = [f"id = id {self.pick('+-')} {self.random.randint(0, 70)}"]
        else:
            columns = self.tables[name][1:]
            chosen = self.random.sample(columns, self.random.randint(1, min(2, len(columns))))
            changes = [f"{c} = {self.expression(scope, k, 1)}" for c, k in chosen]
        where = f" WHERE {self.expression(scope, 'B', 1)}" if self.chance(0.85) else ""
        return f"UPDATE {name} SET {', '.join(changes)}{where}"

    def delete(self):
        name = self.pick(list(self.tables))
        self.changed = name
        where = self.expression([("", self.tables[name])], "B", 1)
        few = f" AND id < {self.random.randint(0, 40)}" if self.chance(0.5) else ""
        return f"DELETE FROM {name} WHERE {where}{few}"

    # ---- expressions of a type over a scope: [(alias, columns)]

    def literal(self, kind):
        if self.chance(0.08):
            return "NULL"
        if kind == "I":
            return str(self.pick([0, 1, 2, 3, -1, -2, 5, 7, 100, self.random.randint(-20, 20)]))
        if kind == "D":
            return self.pick(DOUBLES)
        return f"'{self.pick(TEXTS)}'" if kind == "T" else self.pick(["TRUE", "FALSE"])

    def column(self, scope, kind):
        found = [(a, c) for a, columns in scope for c, k in columns if k == kind]
        if not found:
            return None
        alias, name = self.pick(found)
        return f"{alias}.{name}" if alias else name

    def expression(self, scope, kind, depth=0):
        if depth > 3 or self.chance(0.3):
            column = self.column(scope, kind)
            if column and self.chance(0.75):
                return column
            literal = self.literal(kind)
            return f"CAST(NULL AS {TYPES[kind]})" if literal == "NULL" else literal

        def sub(wanted):
            return self.expression(scope, wanted, depth + 1)

        if self.nested < 2 and self.chance(0.06):
            return self.subquery(scope, kind)
        other = self.pick("ITD")
        choice = self.random.random()
        if choice < 0.12:
            otherwise = f" ELSE {sub(kind)}" if self.chance(0.7) else ""
            return f"CASE WHEN {sub('B')} THEN {sub(kind)}{otherwise} END"
        if choice < 0.17:
            return (f"CASE {sub(other)} WHEN {sub(other)} THEN {sub(kind)} "
                    f"WHEN {sub(other)} THEN {sub(kind)} ELSE {sub(kind)} END")
        if choice < 0.23:
            return f"COALESCE({sub(kind)}, {sub(kind)})"
        if choice < 0.27:
            return f"NULLIF({sub(kind)}, {sub(kind)})"
        return getattr(self, "_of_" + kind)(sub)

    def _of_I(self, sub):
        return self.pick([
            lambda: f"({sub('I')} {self.pick('+-*')} {sub('I')})",
            lambda: f"({sub('I')} {self.pick('+-*')} {sub('I')})",
            lambda: f"({sub('I')} {self.pick('/%')} {self.pick(['2', '3', '-7'])})",
            lambda: f"({sub('I')} {self.pick('/%')} NULLIF({sub('I')}, 0))",
            lambda: f"({sub('I')} {self.pick('&|')} {sub('I')})",
            lambda: f"({sub('I')} {self.pick(['<<', '>>'])} {self.pick('0123')})",
            lambda: f"(- {sub('I')})",
            lambda: f"(~ {sub('I')})",
            lambda: f"abs({sub('I')})",
            lambda: f"length({sub('T')})",
        ])()

    def _of_D(self, sub):
        return self.pick([
            lambda: f"({sub('D')} {self.pick('+-*')} {sub(self.pick('DDI'))})",
            lambda: f"({sub('D')} {self.pick('+-*')} {sub(self.pick('DDI'))})",
            lambda: f"({sub('D')} / {self.pick(['2.0', '4.0'])})",
            lambda: f"({sub('D')} / NULLIF({sub('D')}, 0.0))",
            lambda: f"CAST({sub('I')} AS DOUBLE PRECISION)",
            lambda: f"(- {sub('D')})",
            lambda: f"abs({sub('D')})",
        ])()

    def _of_T(self, sub):
        return self.pick([
            lambda: f"({sub('T')} || {sub('T')})",
            lambda: f"({sub('T')} || {sub('T')})",
            lambda: self.pick(["upper('ab')", "lower('AB')"]),
            lambda: f"substr({sub('T')}, {self.pick('123')}, {self.pick('012')})",
            lambda: f"{self.pick(['trim', 'ltrim', 'rtrim'])}({sub('T')})",
            lambda: f"replace({sub('T')}, '{self.pick('abé')}', {sub('T')})",
            lambda: f"CAST({sub('I')} AS TEXT)",
        ])()

    def _of_B(self, sub):
        kind = self.pick("IIIDTB")
        no = self.pick(["", "NOT "])
        mixed = self.pick("ID") if kind in "ID" else kind
        patterns = ["'a%'", "'%b'", "'_'", "'a_'", "'%'", "''", "'_é'", "'%\\_%' ESCAPE '\\'"]
        items = [self.literal(kind) if self.chance(0.7) else sub(kind) for _ in range(4)]
        count = self.random.randint(1, 4)
        if items[0].startswith("(SELECT"):
            count = 4  # x IN ((SELECT ...)) is a list to SQLite
        return self.pick([
            lambda: f"({sub(kind)} {self.pick(['=', '<>', '<', '<=', '>', '>='])} {sub(mixed)})",
            lambda: f"({sub(kind)} {self.pick(['=', '<>', '<', '<=', '>', '>='])} {sub(mixed)})",
            lambda: f"({sub('B')} {self.pick(['AND', 'OR'])} {sub('B')})",
            lambda: f"(NOT {sub('B')})",
            lambda: f"({sub(kind)} IS {no}NULL)",
            lambda: f"({sub(kind)} {no}BETWEEN {sub(kind)} AND {sub(kind)})",
            lambda: f"({sub(kind)} {no}IN ({', '.join(items[:count])}))",
            lambda: f"({sub('T')} {no}LIKE {self.pick(patterns)})",
            lambda: f"({sub(kind)} IS {no}DISTINCT FROM {sub(kind)})",
        ])()

    # ---- queries inside expressions

    def subquery(self, scope, kind):
        """Of a kind, over one table and what is in sight around it."""
        self.nested += 1
        self.aliases += 1
        alias = f"s{self.aliases}"
        name = self.pick([t for t in self.tables if t != self.changed])
        inner = [(alias, self.tables[name])]
        # A name without its table would mean the table inside.
        around = [] if any(not a for a, _ in scope) else scope
        source = f"FROM {name} AS {alias}"
        where = f" WHERE {self.expression(inner + around, 'B', 2)}" if self.chance(0.8) else ""
        key = self.column(around, "I")
        if key and self.chance(0.5):
            own = self.column(inner, "I")
            where += (" AND " if where else " WHERE ") + f"{own} {self.pick(['=', '=', '<'])} {key}"
        no = self.pick(["", "NOT "])
        if kind == "B" and self.chance(0.5):
            text = f"({no}EXISTS (SELECT {self.pick(['1', '*'])} {source}{where}))"
        elif kind == "B":
            wanted = self.pick("IIDT")
            operand = self.expression(scope, wanted, 3)
            value = self.expression(inner + around, wanted, 2)
            text = f"({operand} {no}IN (SELECT {value} {source}{where}))"
        elif self.chance(0.6):
            text = f"(SELECT {self.aggregate(inner, kind)} {source}{where})"
        else:
            value = self.expression(inner + around, kind, 2)
            text = f"(SELECT {value} {source}{where} ORDER BY {alias}.id LIMIT 1)"
        self.nested -= 1
        return text

    def aggregate(self, scope, kind):
        def sub(wanted):
            return self.expression(scope, wanted, 2)

        distinct = self.pick(["", "", "DISTINCT "])
        only = f" FILTER (WHERE {sub('B')})" if self.chance(0.1) else ""
        return self.pick({
            "I": [lambda: "count(*)" + only,
                  lambda: f"count({distinct}{sub(self.pick('IDT'))})" + only,
                  lambda: f"sum({distinct}{sub('I')})" + only,
                  lambda: f"{self.pick(['min', 'max'])}({sub('I')})" + only],
            "D": [lambda: f"avg({distinct}{sub('D')})",
                  lambda: f"{self.pick(['min', 'max', 'sum'])}({sub('D')})"],
            "T": [lambda: f"{self.pick(['min', 'max'])}({sub('T')})"],
        }[kind])()

    # ---- queries

    def relation(self, alias):
        if self.withs and self.chance(0.5):
            name = self.pick(list(self.withs))
            return f"{name} AS {alias}", self.withs[name]
        name = self.pick(list(self.tables))
        columns = self.tables[name]
        if self.chance(0.88):
            return f"{name} AS {alias}", columns
        where = self.expression([("", columns)], "B", 2)
        order = self.pick(["", " ORDER BY id LIMIT 5"])
        return f"(SELECT * FROM {name} WHERE {where}{order}) AS {alias}", columns

    def tables_from(self):
        text, columns = self.relation("x0")
        scope = [("x0", columns)]
        outer = self.chance(0.4)
        for i in range(1, self.random.choices([1, 2, 3, 4], [5, 5, 3, 1])[0]):
            relation, columns = self.relation(f"x{i}")
            before = list(scope)
            scope.append((f"x{i}", columns))
            if self.chance(0.15):
                text += f" CROSS JOIN {relation}"
                continue

            def condition():
                made = self.expression(scope, "B", 2)
                return f"CASE WHEN x0.id IS NULL THEN FALSE ELSE {made} END" if outer else made

            kind = self.pick(["JOIN", "LEFT JOIN"] + (["RIGHT JOIN", "FULL JOIN"] if outer else []))
            type_of_key = self.pick("IIT")
            left = self.column(before, type_of_key)
            right = self.column([scope[-1]], type_of_key)
            equal = left and right and self.chance(0.7)
            on = f"{left} = {right}" if equal else condition()
            if self.chance(0.3):
                on += f" AND {condition()}"
            text += f" {kind} {relation} ON {on}"
        return text, scope

    def grouped(self, scope):
        keys = [self.column(scope, self.pick("ITBD")) for _ in range(self.pick([0, 1, 1, 2]))]
        keys = [k for k in keys if k]
        items = keys + [self.aggregate(scope, k)
                        for k in self.random.choices("IIDT", k=self.random.randint(1, 3))]
        tail = f" GROUP BY {', '.join(keys)}" if keys else ""
        if self.chance(0.3):
            tail += f" HAVING {self.aggregate(scope, 'I')} {self.pick('<=>')} {self.pick('0123')}"
        return items, tail

    def select(self):
        """A query and whether the order of its rows is defined."""
        dice = self.random.random()
        if dice < 0.1:
            return self.set_operation()
        if dice > 0.08 + 0.1:
            return self.simple()
        name = self.pick(list(self.tables))
        columns = self.tables[name]
        where = self.expression([("", columns)], "B", 1)
        self.withs = {"w0": columns}
        query, ordered = self.simple()
        self.withs = {}
        return f"WITH w0 AS (SELECT * FROM {name} WHERE {where}) {query}", ordered

    def set_operation(self):
        kinds = self.random.choices("IIDTB", k=self.random.randint(1, 3))
        sides = []
        for _ in range(2):
            source, scope = self.tables_from()
            items = [self.expression(scope, kind, 2) for kind in kinds]
            where = f" WHERE {self.expression(scope, 'B', 1)}" if self.chance(0.7) else ""
            sides.append(f"SELECT {', '.join(items)} FROM {source}{where}")
        word = self.pick(["UNION", "UNION ALL", "INTERSECT", "EXCEPT"])
        query = f"{sides[0]} {word} {sides[1]}"
        if self.chance(0.3):
            query += " ORDER BY " + ", ".join(f"{i + 1} NULLS LAST" for i in range(len(kinds)))
            return query + f" LIMIT {self.pick([0, 1, 3])}", True
        return query, False

    def simple(self):
        source, scope = self.tables_from()
        where = f" WHERE {self.expression(scope, 'B', self.pick([0, 1, 2]))}"
        where = where if self.chance(0.6) else ""
        key = self.column(scope, "I")
        if where and self.chance(0.4):
            test = self.pick(["= 3", "> 5", "< 2", "IN (1, 2, 7)", "BETWEEN 1 AND 9", "<> 1"])
            where += f" AND {key} {test}"
        if self.chance(0.3):
            items, tail = self.grouped(scope)
            query = f"SELECT {', '.join(items)} FROM {source}{where}{tail}"
        else:
            items = [self.expression(scope, self.pick("IIDTB"), 1)
                     for _ in range(self.random.randint(1, 4))]
            distinct = "DISTINCT " if self.chance(0.25) else ""
            query = f"SELECT {distinct}{', '.join(items)} FROM {source}{where}"
        if not self.chance(0.4):
            return query, False
        places = list(range(1, len(items) + 1))
        self.random.shuffle(places)
        orders = ["NULLS LAST", "DESC NULLS LAST", "NULLS FIRST", "DESC NULLS FIRST"]
        query += " ORDER BY " + ", ".join(f"{p} {self.pick(orders)}" for p in places)
        if self.chance(0.5):
            query += f" LIMIT {self.pick([0, 1, 2, 5, 10])}"
            query += self.pick(["", f" OFFSET {self.pick([0, 1, 3, 50])}"])
        return query, True


def alike(value):
    """Doubles of other roundings look the same, and integers as the doubles they equal."""
    if isinstance(value, float):
        return int(value) if value == int(value) and abs(value) < 1e15 else float(f"{value:.9g}")
    return value


class Settings:
    """What may change how a statement runs and not what it answers."""
    VECTORS = [1, 2, 7, 64, 1024]
    WORK = [1, 300, 2000, 10000, 65536, 64 << 20]  # bytes an operator may hold
    WORKERS = [0, 1, 4, "auto"]
    ROWS = [1, 4, 50000]  # of a table, at least, for several threads to read it

    def __init__(self, seed):
        self.pick = random.Random(-seed).choice

    def choose(self, toydb):
        vector, work = self.pick(self.VECTORS), self.pick(self.WORK)
        toydb.run(f"SET vector_size = {vector}")
        toydb.run(f"work {work}")
        workers, rows = self.pick(self.WORKERS), self.pick(self.ROWS)
        toydb.run(f"SET parallel_workers = {workers}")
        toydb.run(f"SET parallel_rows = {rows}")
        late = self.pick(["on", "off"])
        toydb.run(f"SET late_columns = {late}")
        return f"vector_size {vector}, work_mem {work}, " \
               f"parallel_workers {workers}, parallel_rows {rows}, late_columns {late}"


class Toydb:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self, text):
        """(rows or None, tag, error)"""
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()
        lines = []
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError(f"the program ended: {self.process.wait()}")
            line = line.decode().rstrip("\n")
            if line == ".":
                break
            lines.append(line)
        if not lines:
            return None, "", None
        if lines[0].startswith("ERROR"):
            return None, "", lines[0]
        if len(lines) == 1:
            return None, lines[0], None
        types = [column.split()[-1] for column in lines[0].split(" | ")]
        error = next((l for l in lines[1:] if l.startswith("ERROR")), None)
        rows = [tuple(map(self.value, types, line.split(" | "))) for line in lines[1:-1]]
        return rows, lines[-1], error

    @staticmethod
    def value(kind, text):
        if text == "NULL":
            return None
        if kind == "boolean":
            return int(text == "t")
        if kind == "integer":
            return int(text)
        return float(text) if kind in ("precision", "numeric") else text

    def end(self):
        self.process.stdin.close()
        return self.process.wait()
