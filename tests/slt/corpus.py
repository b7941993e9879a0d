"""Scripts in the manner of the public sqllogictest corpus, from a seed, with SQLite's answers.

The corpus is seven million queries of a few kinds, each made by a program from a small grammar. These are
grammars of the same kinds, for what a sample of the corpus leaves out:

    expr, aggregates, groupby, select     three tables of three integers, signs in heaps
    index                                 five tables, indexes, WHERE of every comparison, sorted and not
    view                                  the same through views and set operations
    compound                              UNION, EXCEPT and INTERSECT over many tables
    join                                  chains of equalities over up to 64 tables
    plain                                 t1 (a, b, c, d, e) with correlated subqueries and ORDER BY

    corpus.py DIRECTORY [--seed N] [--seeds N] [--records N] [KIND...]
"""
import argparse
import hashlib
import os
import random
import sqlite3

THRESHOLD = 8


def text_of(value, kind):
    if value is None:
        return "NULL"
    if kind == "I":
        return str(int(float(value)) if not isinstance(value, int) else value)
    if kind == "R":
        return f"{float(value):.3f}"
    return "".join(c if " " <= c <= "~" else "@" for c in str(value)) or "(empty)"


class Script:
    """One script: what is run, and what SQLite answers."""

    def __init__(self, seed, path):
        self.random = random.Random(seed)
        self.pick = self.random.choice
        self.sqlite = sqlite3.connect(":memory:", isolation_level=None)
        self.file = open(path, "w", encoding="utf-8", newline=self.pick(["\n", "\n", "\r\n"]))
        self.labels = 0
        self.threshold = THRESHOLD
        self.file.write(f"hash-threshold {THRESHOLD}\n\n")

    def chance(self, part):
        return self.random.random() < part

    def number(self, low=0, high=99):
        return self.random.randint(low, high)

    def statement(self, sql):
        try:
            self.sqlite.execute(sql)
            good = "ok"
        except sqlite3.Error:
            good = "error"
        self.file.write(f"statement {good}\n{sql}\n\n")
        return good == "ok"

    def query(self, sql, sort="rowsort", label="", before=""):
        rows = self.sqlite.execute(sql).fetchall()
        width = len(self.sqlite.execute(sql).description)
        kinds = "".join(self.kind_of([row[i] for row in rows]) for i in range(width))
        rows = [[text_of(v, k) for v, k in zip(row, kinds)] for row in rows]
        if sort == "rowsort":
            rows.sort()
        values = [v for row in rows for v in row]
        if sort == "valuesort":
            values.sort()
        if len(values) > self.threshold > 0:
            digest = hashlib.md5("".join(v + "\n" for v in values).encode()).hexdigest()
            values = [f"{len(values)} values hashing to {digest}"]
        label = " " + label if label else ""
        lines = "".join(v + "\n" for v in values)
        self.file.write(f"{before}query {kinds} {sort}{label}\n{sql}\n----\n{lines}\n")

    @staticmethod
    def kind_of(values):
        known = [v for v in values if v is not None]
        if any(isinstance(v, str) for v in known):
            return "T"
        return "R" if any(isinstance(v, float) for v in known) else "I"

    def label(self):
        self.labels += 1
        return f"label-{self.labels}"

    # ---- random/*: signs in heaps

    def sign(self):
        return self.pick(["", "", "", "+ ", "- ", "+ + ", "- + ", "+ - ", "- - "])

    def atom(self, columns):
        if columns and self.chance(0.6):
            return self.pick(columns)
        return str(self.number())

    def null(self):
        return self.pick(["NULL", "CAST ( NULL AS INTEGER )", "CAST( NULL AS INTEGER )", "CAST ( NULL AS REAL )"])

    def factor(self, columns, depth, aggregates):
        dice = self.random.random()
        deeper = depth < 3
        if dice < 0.55 or not deeper:
            return self.sign() + self.atom(columns)
        if dice < 0.68:
            return f"{self.sign()}( {self.term(columns, depth + 1, aggregates)} )"
        if aggregates and dice < 0.8:
            return self.sign() + self.aggregate(columns if aggregates != "plain" else [])
        if dice < 0.84:
            return self.sign() + self.null()
        if dice < 0.88:
            return f"{self.sign()}CAST ( {self.term(columns, depth + 1, aggregates)} AS INTEGER )"
        sub = [self.term(columns, depth + 1, aggregates) for _ in range(5)]
        if dice < 0.91:
            return f"{self.sign()}COALESCE ( {', '.join(sub[:self.number(2, 4)])} )"
        if dice < 0.94:
            return f"{self.sign()}NULLIF ( {sub[0]}, {sub[1]} )"
        if dice < 0.97:
            middle = "".join(f"WHEN {x} THEN {y} " for x, y in [(sub[1], sub[2]), ("NULL", "NULL")])
            otherwise = self.pick(["", f"ELSE {sub[4]} "])
            return f"{self.sign()}CASE {sub[0]} {middle}{otherwise}END"
        otherwise = self.pick(["", f"ELSE {sub[4]} "])
        return f"{self.sign()}CASE WHEN {self.condition(columns, depth + 1)} THEN {sub[2]} {otherwise}END"

    def term(self, columns, depth=0, aggregates=""):
        text = self.factor(columns, depth, aggregates)
        for _ in range(self.pick([0, 0, 1, 1, 2])):
            text += f" {self.pick('++--**/')} {self.factor(columns, depth + 1, aggregates)}"
        return text

    def aggregate(self, columns):
        name = self.pick(["COUNT", "COUNT", "SUM", "MIN", "MAX", "AVG"])
        if name == "COUNT" and self.chance(0.5):
            return self.pick(["COUNT ( * )", "COUNT( * )"])
        of = self.sign() + self.atom(columns) if self.chance(0.8) else self.null()
        return f"{name}{self.pick(['', ' '])}( {self.pick(['', 'ALL ', 'DISTINCT '])}{of} )"

    def condition(self, columns, depth=0):
        no = self.pick(["", "", "NOT "])

        def side():
            return self.pick(["NULL", "( NULL )"]) if self.chance(0.25) else self.term(columns, 2)

        dice = self.random.random()
        if dice < 0.3:
            text = f"{side()} {self.pick(['=', '<>', '<', '<=', '>', '>='])} {side()}"
        elif dice < 0.5:
            text = f"{side()} IS {self.pick(['', 'NOT '])}NULL"
        elif dice < 0.65:
            text = f"{side()} {self.pick(['', 'NOT '])}BETWEEN {side()} AND {side()}"
        elif dice < 0.8:
            listed = ", ".join(side() for _ in range(self.number(1, 4)))
            text = f"{side()} {self.pick(['', 'NOT '])}IN ( {listed} )"
        elif depth < 2:
            joint = self.pick(["AND", "OR"])
            text = f"( {self.condition(columns, depth + 1)} {joint} {self.condition(columns, depth + 1)} )"
        else:
            text = "NULL IS NULL"
        return no + text

    def small_tables(self):
        for i in range(3):
            self.statement(f"CREATE TABLE tab{i}(col0 INTEGER, col1 INTEGER, col2 INTEGER)")
        for i in range(3):
            for _ in range(3):
                self.statement(f"INSERT INTO tab{i} VALUES({self.number()},{self.number()},{self.number()})")

    def alias(self):
        return f"{self.pick(['AS ', 'AS ', ''])}col{self.number(0, 2)}"

    def from_small(self):
        name = f"tab{self.number(0, 2)}"
        if self.chance(0.5):
            return name, [f"{c}" for c in ("col0", "col1", "col2")] + [f"{name}.col0", f"{name}.col2"]
        if self.chance(0.7):
            return f"{name} {self.pick(['AS ', ''])}cor0", ["col0", "col1", "col2", "cor0.col1", "cor0.col2"]
        other = f"tab{self.number(0, 2)}"
        text = self.pick([f"{name} AS cor0 CROSS JOIN {other} AS cor1", f"{name} cor0, {other} cor1",
                          f"( {name} AS cor0 CROSS JOIN {other} AS cor1 )"])
        return text, ["cor0.col0", "cor0.col1", "cor1.col1", "cor1.col2"]

    def items(self, columns, aggregates=""):
        def item():
            return self.term(columns, 0, aggregates) + self.pick(["", " " + self.alias()])
        return f"SELECT {self.pick(['', 'ALL ', 'DISTINCT '])}" + \
            ", ".join(item() for _ in range(self.pick([1, 1, 1, 2, 3])))

    def small_query(self, kind):
        source, columns = self.from_small()
        where = f" WHERE {self.condition(columns)}" if self.chance(0.4) else ""
        if kind == "expr":
            sql = self.items([], self.pick(["", "plain"]))
        elif kind == "aggregates":
            sql = f"{self.aggregates_only(columns)} FROM {source}{where}"
        elif kind == "select":
            star = "SELECT * " if self.chance(0.1) else self.items(columns) + " "
            sql = f"{star}FROM {source}{where}"
        else:
            keys = self.random.sample(columns, self.number(1, 3))
            having = f" HAVING {self.condition(keys)}" if self.chance(0.3) else ""
            sql = f"{self.items(keys, self.pick(['', 'of']))} FROM {source}{where} " \
                  f"GROUP BY {', '.join(keys)}{having}"
        self.query(sql, "rowsort", self.label() if self.chance(0.5) else "")

    def aggregates_only(self, columns):
        """Columns only inside aggregates: a bare one would be of any row."""
        made = []
        for _ in range(self.pick([1, 1, 2])):
            text = self.sign() + self.aggregate(columns)
            for _ in range(self.pick([0, 1, 2])):
                other = self.aggregate(columns) if self.chance(0.5) else self.factor([], 1, "plain")
                text += f" {self.pick('+-*/')} {self.sign()}{other}"
            made.append(text)
        return f"SELECT {self.pick(['', 'ALL ', 'DISTINCT '])}{', '.join(made)}"

    # ---- index/*

    def big_tables(self, rows, value_max):
        columns = "pk INTEGER PRIMARY KEY, col0 INTEGER, col1 FLOAT, col2 TEXT, col3 INTEGER, col4 FLOAT, col5 TEXT"

        def word():
            return "".join(self.pick("abcdefghijklmnopqrstuvwxyz") for _ in range(5))

        def real():
            return f"{self.number(0, value_max)}.{self.number(0, 99)}"

        self.statement(f"CREATE TABLE tab0({columns})")
        for i in range(rows):
            null = self.chance(0.05)
            self.statement(f"INSERT INTO tab0 VALUES({i},{'NULL' if null else self.number(0, value_max)},{real()},"
                           f"'{word()}',{self.number(0, value_max)},{'NULL' if self.chance(0.05) else real()},'{word()}')")
        for i in range(1, 5):
            self.statement(f"CREATE TABLE tab{i}({columns})")
            for j in range(self.number(1, 5)):
                unique = "UNIQUE " if self.chance(0.1) else ""
                keys = ",".join(f"{c}{self.pick(['', ' DESC', ' ASC'])}" for c in
                                self.random.sample(["col0", "col1", "col3", "col4", "col2"], self.number(1, 3)))
                self.statement(f"CREATE {unique}INDEX idx_tab{i}_{j} on tab{i} ({keys})")
            self.alike &= self.statement(f"INSERT INTO tab{i} SELECT * FROM tab0")

    def comparison(self, value_max, turned):
        column = f"col{self.pick('0134')}"

        def value():
            return str(self.number(0, value_max)) if column in ("col0", "col3") else \
                f"{self.number(0, value_max)}.{self.number(0, 99)}"

        dice = self.random.random()
        if dice < 0.7:
            word = self.pick(["=", "<", "<=", ">", ">="])
            back = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}
            of = value()
            return f"{of} {back[word]} {column}" if turned and self.chance(0.5) else f"{column} {word} {of}"
        if dice < 0.8:
            return f"{column} IS NULL"
        if dice < 0.9:
            return f"{column} BETWEEN {value()} AND {value()}"
        if self.chance(0.3):
            other = f"col{self.pick('0134')}"
            return f"{column} IN (SELECT {other} FROM tab{self.number(0, 4)} WHERE {self.comparison(value_max, False)})"
        return f"{column} IN ({','.join(value() for _ in range(self.number(1, 6)))})"

    def where(self, value_max, depth=0, turned=False):
        text = self.comparison(value_max, turned)
        while self.chance(0.45 - 0.1 * depth):
            other = self.where(value_max, depth + 1, turned) if depth < 4 else self.comparison(value_max, turned)
            text += f" {self.pick(['AND', 'OR'])} {other}"
        return f"({text})" if self.chance(0.3) else text

    def index_script(self, records):
        value_max = self.pick([9, 99, 999, 9999])
        self.alike = True  # the five tables
        self.big_tables(self.pick([1, 10, 10, 100]), value_max)
        for i in range(records // 5):
            where = self.where(value_max, 0, self.chance(0.3))
            dice = self.random.random()
            items = self.pick(["pk", "pk, col0", "pk, col1, col3", "*"])
            if dice < 0.5:
                label = self.label() if self.alike else ""
                for t in range(5):
                    self.query(f"SELECT {items} FROM tab{t} WHERE {where}", "rowsort", label)
            elif dice < 0.75:
                keys = self.pick(["1", "1 DESC", "2,1", "2 DESC,1", "2,1 DESC", "3,2,1 DESC"])
                for t in range(5):
                    self.query(f"SELECT pk, col0, col4 FROM tab{t} WHERE {where} ORDER BY {keys}",
                               self.pick(["nosort", "valuesort"]))
            elif dice < 0.9:
                columns = ["col0", "col1", "col3", "col4"]
                condition = self.condition(columns)
                for t in range(5):
                    self.query(f"{self.items(columns)} FROM tab{t} WHERE {condition}")
            elif dice < 0.95:
                self.alike = False
                t = self.number(0, 4)
                self.statement(f"UPDATE tab{t} SET col0 = {self.term(['col0', 'col3'], 2)}, col1 = col1 * 2 "
                               f"WHERE {where}")
                self.query(f"SELECT * FROM tab{t}")
            else:
                self.alike = False
                t = self.number(0, 4)
                self.statement(f"DELETE FROM tab{t} WHERE {where} AND pk > 3")
                self.query(f"SELECT count(*), count(col0) FROM tab{t}")

    def view_script(self, records):
        value_max = 99
        self.alike = True
        self.big_tables(10, value_max)
        for i in range(records // 8):
            t = self.number(0, 4)
            where = self.where(value_max)
            names = [f"view_{j}_tab{t}_{i}" for j in (1, 2, 3)]
            for name in names:
                self.statement(f"DROP VIEW IF EXISTS {name}")
            self.statement(f"CREATE VIEW {names[0]} AS SELECT pk, col0 FROM tab{t} WHERE {where}")
            self.statement(f"CREATE VIEW {names[1]} AS SELECT pk, col0 FROM tab{t} WHERE NOT ({where})")
            self.statement(f"CREATE VIEW {names[2]} AS SELECT pk FROM {names[0]}")
            label = self.label()
            self.query(f"SELECT pk, col0 FROM tab{t} WHERE {where}", "rowsort", label)
            self.query(f"SELECT pk, col0 FROM {names[0]}", "rowsort", label)
            self.query(f"SELECT * FROM {names[2]}")
            for word in ["UNION ALL", "UNION", "EXCEPT", "INTERSECT"]:
                self.query(f"SELECT pk, col0 FROM {names[0]} {word} SELECT pk, col0 FROM {names[1]}")
            self.statement(f"INSERT INTO {names[0]} VALUES(1,2)")
            if self.chance(0.7):
                for name in reversed(names):
                    self.statement(f"DROP VIEW {name}")

    # ---- select4, select5

    def chain_tables(self, count, rows):
        for t in range(1, count + 1):
            order = list(range(1, rows + 1))
            self.random.shuffle(order)
            key = self.pick([" PRIMARY KEY", " PRIMARY KEY", ""])
            self.statement(f"CREATE TABLE t{t}(\n  a{t} INTEGER{key},\n  b{t} INTEGER,\n  x{t} VARCHAR(40)\n)")
            for i in range(1, rows + 1):
                self.statement(f"INSERT INTO t{t} VALUES({i},{order[i - 1]},'table t{t} row {i}')")
            if self.chance(0.4):
                self.statement(f"CREATE INDEX t{t}b ON t{t}(b{t})")

    def join_script(self, records):
        self.chain_tables(64, 10)
        for i in range(records // 20):
            count = self.pick([3, 4, 5, 8, 12, 20, 30, 45, 64])
            chain = self.random.sample(range(1, 65), count)
            tests = [f"{self.pick('ab')}{x}={self.pick('ab')}{y}"
                     for x, y in zip(chain, chain[1:])]
            # A key of one table is fixed: the chain has at most one row.
            tests.append(f"a{chain[0]}={self.number(1, 10)}")
            tests = [t if self.chance(0.5) else "=".join(reversed(t.split("="))) for t in tests]
            label = f"join-{count}-{i}"
            for _ in range(2):
                self.random.shuffle(tests)
                names = self.random.sample(chain, count)
                items = ",".join(f"x{t}" for t in sorted(chain))
                sql = f"SELECT {items}\n  FROM {','.join(f't{t}' for t in names)}\n" \
                      f" WHERE " + "\n   AND ".join(tests)
                self.query(sql, "valuesort", label)

    def compound_script(self, records):
        for t in range(1, 10):
            self.statement(f"CREATE TABLE t{t}(\n" + ",\n".join(
                [f"  {c}{t} INTEGER" for c in "abcde"] + [f"  x{t} VARCHAR(30)"]) + "\n)")
            for i in range(8):
                values = ",".join("NULL" if self.chance(0.05) else str(self.number(1, 40)) for _ in "abcde")
                self.statement(f"INSERT INTO t{t} VALUES({values},'table t{t} row {i}')")
            for c in "abcde":
                if self.chance(0.4):
                    self.statement(f"CREATE INDEX t{t}{c} ON t{t}({c}{t})")
        for i in range(records // 2):
            sides = []
            for _ in range(self.number(2, 8)):
                t = self.number(1, 9)
                column = self.pick("abcde") + str(t)
                tests = []
                for _ in range(self.number(1, 4)):
                    of = self.pick("abcde") + str(t)
                    listed = ",".join(str(self.number(1, 40)) for _ in range(self.number(1, 6)))
                    tests.append(self.pick([f"{of}={self.number(1, 40)}", f"({self.number(1, 40)}={of})",
                                            f"{of} in ({listed})", f"{of} not in ({listed})",
                                            f"({of}>{self.number(1, 40)} OR {column} is null)"]))
                no = self.pick(["", "", "NOT "])
                joint = self.pick(["\n    AND ", "\n     OR "])
                sides.append(f"SELECT {column}\n   FROM t{t}\n  WHERE {no}({joint.join(tests)})")
            text = sides[0]
            for side in sides[1:]:
                text += f"\n {self.pick(['UNION', 'UNION ALL', 'EXCEPT', 'INTERSECT'])}\n {side}"
            if self.chance(0.3):
                text += "\n ORDER BY 1"
                self.query(text, "nosort")
            else:
                self.query(text, "valuesort")

    # ---- select1 to select3

    def plain_script(self, records):
        self.statement("CREATE TABLE t1(a INTEGER, b INTEGER, c INTEGER, d INTEGER, e INTEGER)")
        at = 100
        for _ in range(30):
            values = [at + i for i in range(5)]
            self.random.shuffle(values)
            at += 5
            values = [v if not self.chance(0.1) else "NULL" for v in values]
            self.statement(f"INSERT INTO t1(e,c,b,d,a) VALUES({','.join(map(str, values))})")
        items = ["a", "b", "c", "d", "e", "a-b", "b-c", "c-d", "d-e", "a+b*2", "a+b*2+c*3+d*4+e*5", "abs(a)",
                 "abs(b-c)", "(a+b+c+d+e)/5", "CASE WHEN c>(SELECT avg(c) FROM t1) THEN a*2 ELSE b*10 END",
                 "CASE WHEN a<b-3 THEN 111 WHEN a<=b THEN 222\n        WHEN a<b+3 THEN 333 ELSE 444 END",
                 "CASE a+1 WHEN b THEN 111 WHEN c THEN 222\n        WHEN d THEN 333  WHEN e THEN 444 ELSE 555 END",
                 "(SELECT count(*) FROM t1 AS x WHERE x.b<t1.b)",
                 "(SELECT count(*) FROM t1 AS x WHERE x.c>t1.c AND x.d<t1.d)",
                 "(SELECT max(x.e) FROM t1 AS x WHERE x.a<t1.a)", "coalesce(a,b,c)", "a%7", "a/b", "b/(c-d)",
                 "(SELECT min(a) FROM t1)", "a<b", "a IS NULL", "nullif(a,b)", "-a+-b", "a*1.0/3"]
        tests = ["a>b", "b>c", "c>d", "d>e", "a IS NULL", "(a>b-2 AND a<b+2)", "(c<=d-2 OR c>=d+2)", "(e>c OR e<d)",
                 "c BETWEEN b-2 AND d+2", "d NOT BETWEEN 110 AND 150", "(e>a AND e<b)", "e+d BETWEEN a+b-10 AND c+130",
                 "a IN (SELECT b-1 FROM t1)", "b NOT IN (SELECT a FROM t1 WHERE a IS NOT NULL)",
                 "EXISTS(SELECT 1 FROM t1 AS x WHERE x.b<t1.b)", "NOT EXISTS(SELECT 1 FROM t1 AS x WHERE x.e=t1.a+1)",
                 "a=(SELECT max(a) FROM t1 AS x WHERE x.b<t1.b)", "coalesce(a,b,c,d,e)<>0"]
        for i in range(records):
            chosen = self.random.sample(items, self.number(1, 7))
            text = "SELECT " + ",\n       ".join(chosen) + "\n  FROM t1"
            if self.chance(0.85):
                where = self.random.sample(tests, self.number(1, 4))
                text += "\n WHERE " + self.pick(["\n   AND ", "\n    OR "]).join(where)
            if self.chance(0.6):
                places = list(range(1, len(chosen) + 1))
                self.random.shuffle(places)
                # SQLite has NULL before everything, as it is read with the setting on.
                self.query(f"{text}\n ORDER BY {','.join(map(str, places))}", self.pick(["nosort", "rowsort"]))
            else:
                self.query(text, "rowsort", "", self.pick(["", "", "skipif postgresql\n", "# a comment\n",
                                                          "onlyif toydb # ours\n"]))


SMALL = ["expr", "aggregates", "groupby", "select"]
KINDS = {"index": Script.index_script, "view": Script.view_script, "compound": Script.compound_script,
         "join": Script.join_script, "plain": Script.plain_script}


def write(kind, seed, path, records):
    script = Script(f"{kind}{seed}", path)
    if kind in KINDS:
        KINDS[kind](script, records)
    else:
        script.small_tables()
        for _ in range(records):
            script.small_query(kind)
    script.file.close()
    script.sqlite.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory")
    parser.add_argument("kinds", nargs="*", default=SMALL + list(KINDS))
    parser.add_argument("--seed", type=int, default=1, help="the first")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--records", type=int, default=300, help="of a script, about")
    options = parser.parse_args()
    os.makedirs(options.directory, exist_ok=True)
    for kind in options.kinds or SMALL + list(KINDS):
        for seed in range(options.seed, options.seed + options.seeds):
            write(kind, seed, os.path.join(options.directory, f"{kind}-{seed}.test"), options.records)


if __name__ == "__main__":
    main()
