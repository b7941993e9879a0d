"""The rest of the dialect that SQLite has, too: what generator.py does not make.

Window functions, recursive queries, upserts, RETURNING, UPDATE ... FROM, chains of set operations, USING and
NATURAL, GROUP BY and ORDER BY of expressions, rows compared, views, partial and expression indexes, foreign
keys with actions. What is made has one answer: windows end their order with the keys of all tables, values
that depend on the order of summing are left out. So is what SQLite does in its own way: it overlooks FILTER of
min and max where the frame moves, lists the columns of USING where they were, and compares texts as numbers
within RETURNING (3.40).
"""
from generator import TYPES, Generator

ORDERS = ["NULLS LAST", "DESC NULLS LAST", "NULLS FIRST", "DESC NULLS FIRST"]


class Dialect(Generator):
    def __init__(self, seed):
        super().__init__(seed)
        self.views = {}
        self.actions = False

    # ---- schema

    def schema(self):
        for text in super().schema():
            if " REFERENCES " in text and self.chance(0.5):
                self.actions = True
                action = self.pick(["CASCADE", "SET NULL"])
                text = text.replace(" (id)", f" (id) ON DELETE {action} ON UPDATE {self.pick(['CASCADE', action])}", 1)
            yield text
        for name, columns in self.tables.items():
            for i in range(self.random.randint(0, 2)):
                yield self.special_index(name, columns, i)
        for i in range(self.random.randint(1, 3)):
            yield self.view(f"v{i}")

    def special_index(self, name, columns, number):
        keys = []
        for column, kind in self.random.sample(columns, min(len(columns), self.random.randint(1, 3))):
            made = {"I": f"({column} % 3)", "D": f"(-{column})", "T": f"lower({column})", "B": column}[kind]
            keys.append(self.pick([column, column, made]) + self.pick(["", " DESC"]))
        where = ""
        if self.chance(0.6):
            column, kind = self.pick(columns)
            where = " WHERE " + self.pick({
                "I": [f"{column} > 3", f"{column} IS NOT NULL", f"{column} IN (1, 2, 7)"],
                "D": [f"{column} < 1.5", f"{column} IS NULL"],
                "T": [f"{column} = 'a'", f"{column} <> ''", f"{column} >= 'ab'"],
                "B": [column, f"NOT {column}"]}[kind])
        unique = "UNIQUE " if where and self.chance(0.1) else ""
        return f"CREATE {unique}INDEX {name}_s{number} ON {name} ({', '.join(keys)}){where}"

    def view(self, name):
        table = self.pick(list(self.tables))
        columns = self.tables[table]
        scope = [("", columns)]
        if self.chance(0.3):
            key = self.pick(columns)
            made = [("id", "I"), ("c0", "I")]
            text = f"SELECT min(id), count({key[0]}) FROM {table} GROUP BY {key[0]}"
        elif self.chance(0.3):
            made = [("id", "I"), ("c0", "T")]
            other = self.pick(list(self.tables))
            text = f"SELECT id, CAST(id AS TEXT) FROM {table} UNION SELECT id + 7, 'a' FROM {other}"
        else:
            kinds = self.random.choices("IDTB", k=2)
            made = [("id", "I")] + [(f"c{i}", kind) for i, kind in enumerate(kinds)]
            items = ", ".join(self.expression(scope, kind, 2) for kind in kinds)
            text = f"SELECT id, {items} FROM {table} WHERE {self.expression(scope, 'B', 2)}"
        self.views[name] = made
        return f"CREATE VIEW {name} ({', '.join(c for c, _ in made)}) AS {text}"

    def relation(self, alias):
        if self.views and self.chance(0.12):
            name = self.pick(list(self.views))
            return f"{name} AS {alias}", self.views[name]
        return super().relation(alias)

    # ---- changes

    def returning(self, name):
        if not self.chance(0.2):
            return ""
        columns = [c for c, _ in self.tables[name]]
        return " RETURNING " + self.pick(["*", "id", f"{self.pick(columns)}, id + 1"])

    def insert(self):
        dice = self.random.random()
        if dice > 0.25:
            text = super().insert()
            return text if " SELECT " in text else text + self.returning(self.changed)
        name = self.pick(list(self.tables))
        self.changed = name
        columns = self.tables[name]
        ids = self.random.sample(range(60), self.pick([1, 1, 2, 4]))
        rows = ", ".join("(" + ", ".join([str(i)] + [self.literal(k) for _, k in columns[1:]]) + ")" for i in ids)
        text = f"INSERT INTO {name} ({', '.join(c for c, _ in columns)}) VALUES {rows} ON CONFLICT "
        if self.chance(0.3):
            return text + self.pick(["", "(id) "]) + "DO NOTHING" + self.returning(name)
        scope = [(name, columns), ("excluded", columns)]
        chosen = self.random.sample(columns[1:], self.random.randint(1, min(2, len(columns) - 1)))
        changes = ", ".join(f"{c} = {self.expression(scope, k, 2)}" for c, k in chosen)
        where = f" WHERE {self.expression(scope, 'B', 2)}" if self.chance(0.4) else ""
        return f"{text}(id) DO UPDATE SET {changes}{where}"

    def update(self):
        if self.chance(0.75):
            text = super().update()
            return text if " SELECT " in text else text + self.returning(self.changed)
        name = self.pick(list(self.tables))
        source = self.pick([t for t in self.tables if t != name])
        self.changed = name
        columns = self.tables[name]
        scope = [(name, columns), ("y", self.tables[source])]
        chosen = self.random.sample(columns[1:], self.random.randint(1, min(2, len(columns) - 1)))
        changes = ", ".join(f"{c} = {self.expression(scope, k, 2)}" for c, k in chosen)
        key = self.column([(name, columns)], "I")
        more = f" AND {self.expression(scope, 'B', 2)}" if self.chance(0.5) else ""
        return f"UPDATE {name} SET {changes} FROM {source} AS y WHERE y.id = {key}{more}"

    def delete(self):
        text = super().delete()
        return text if " SELECT " in text else text + self.returning(self.changed)

    # ---- expressions

    def _of_D(self, sub):
        """Of few bits: sums are exact in whatever order, and so equal where a query orders by them."""
        if self.chance(0.2):
            return f"({sub('D')} / CASE WHEN {sub('B')} THEN 2.0 WHEN {sub('B')} THEN -0.5 END)"
        made = super()._of_D(sub)
        return f"({sub('D')} / 4.0)" if "NULLIF" in made else made

    def _of_B(self, sub):
        if self.chance(0.9):
            return super()._of_B(sub)
        kinds = self.random.choices("IT", k=2)
        left, right = (", ".join(sub(k) for k in kinds) for _ in range(2))
        no = self.pick(["", "NOT "])
        return self.pick([
            lambda: f"(({left}) {self.pick(['=', '<>', '<', '<=', '>', '>='])} ({right}))",
            lambda: f"({sub('B')} IS {no}{self.pick(['TRUE', 'FALSE'])})",
            lambda: f"({sub('T')} {no}LIKE {sub('T')})",
        ])()

    # ---- queries

    def select(self):
        dice = self.random.random()
        if dice < 0.55:
            return super().select()
        return self.pick([self.windows, self.windows, self.recursive, self.chain, self.shared, self.by_expression,
                          self.derived, self.rows_in])()

    def window(self, scope):
        partitions = [self.expression(scope, self.pick("ITB"), 3) for _ in range(self.pick([0, 0, 1, 2]))]
        partitions = [p for p in partitions if not p.lstrip("-").isdigit()]
        head = f"PARTITION BY {', '.join(partitions)} " if partitions else ""
        key = self.column(scope, "I")
        total = [f"{a}.id" if a else "id" for a, _ in scope]
        first = [f"{self.expression(scope, 'T', 3)} {self.pick(ORDERS)}"] if self.chance(0.3) else []
        first = [f for f in first if f[0] not in "'C"]
        keys = ", ".join(first + [f"{key} {self.pick(ORDERS)}"] +
                         [f"{k} {self.pick(ORDERS)}" for k in total])
        return head, keys, key

    def over(self, scope):
        """A window function and its window, of one answer."""
        head, keys, key = self.window(scope)
        kind = self.pick("IIT")
        value = self.expression(scope, kind, 3)
        ends = ["UNBOUNDED PRECEDING", "2 PRECEDING", "1 PRECEDING", "CURRENT ROW", "1 FOLLOWING", "3 FOLLOWING",
                "UNBOUNDED FOLLOWING"]
        begin = self.random.randint(0, 5)
        end = self.random.randint(max(begin, 1), 6)
        mode = self.pick(["ROWS", "ROWS", "GROUPS"])
        frame = f" {mode} BETWEEN {ends[begin]} AND {ends[end]}"
        only = f" FILTER (WHERE {self.expression(scope, 'B', 3)})" if self.chance(0.2) else ""
        fold = self.pick([f"count(*){only}", f"count({value}){only}", f"min({value})", f"max({value})",
                          f"sum({self.expression(scope, 'I', 3)}){only}"])
        return self.pick([
            lambda: f"{self.pick(['row_number', 'rank', 'dense_rank'])}() OVER ({head}ORDER BY {keys})",
            lambda: f"{self.pick(['rank', 'dense_rank', 'percent_rank', 'cume_dist'])}() "
                    f"OVER ({head}ORDER BY {key} {self.pick(ORDERS)})",
            lambda: f"ntile({self.random.randint(1, 5)}) OVER ({head}ORDER BY {keys})",
            lambda: f"{self.pick(['lag', 'lead'])}({value}{self.pick(['', ', 1', ', 2', ', 0'])}) "
                    f"OVER ({head}ORDER BY {keys})",
            lambda: f"{self.pick(['first_value', 'last_value'])}({value}) OVER ({head}ORDER BY {keys}{frame})",
            lambda: f"nth_value({value}, {self.random.randint(1, 3)}) OVER ({head}ORDER BY {keys}{frame})",
            lambda: f"{fold} OVER ({head}ORDER BY {keys}{frame})",
            lambda: f"{fold} OVER ({head}ORDER BY {key} {self.pick(ORDERS)})",
            lambda: f"{fold} OVER ({head.strip()})",
            lambda: f"{fold} OVER ({head}ORDER BY {key} {self.pick(ORDERS)} "
                    f"RANGE BETWEEN {self.pick(['2 PRECEDING', 'UNBOUNDED PRECEDING', 'CURRENT ROW'])} AND "
                    f"{self.pick(['CURRENT ROW', '3 FOLLOWING', 'UNBOUNDED FOLLOWING'])})",
        ])()

    def windows(self):
        """Window functions over one or two tables whose rows have keys."""
        self.aliases += 1
        names = self.random.sample(list(self.tables), self.pick([1, 1, 2]))
        scope = [(f"x{i}", self.tables[name]) for i, name in enumerate(names)]
        source = f"{names[0]} AS x0"
        if len(names) > 1:
            left, right = self.column(scope[:1], "I"), self.column(scope[1:], "I")
            source += f" {self.pick(['JOIN', 'LEFT JOIN'])} {names[1]} AS x1 ON {left} = {right}"
        where = f" WHERE {self.expression(scope, 'B', 2)}" if self.chance(0.5) else ""
        items = [self.over(scope) for _ in range(self.pick([1, 2, 3]))]
        if self.chance(0.2):
            head, keys, _ = self.window(scope)
            value = self.expression(scope, "I", 3)
            text = f"SELECT sum({value}) OVER w, row_number() OVER w, min({value}) OVER (w ROWS 1 PRECEDING) " \
                   f"FROM {source}{where} WINDOW w AS ({head}ORDER BY {keys})"
            return text, False
        text = f"SELECT {', '.join(items + [self.expression(scope, self.pick('IDTB'), 2)])} FROM {source}{where}"
        if self.chance(0.3):
            text = f"SELECT * FROM (SELECT x0.id AS k, {items[0]} AS w FROM {source}{where}) AS q " \
                   f"WHERE q.w IS {self.pick(['', 'NOT '])}NULL"
        return text, False

    def recursive(self):
        union = self.pick(["UNION", "UNION ALL"])
        name = self.pick(list(self.tables))
        scope = [("y", self.tables[name])]
        if self.chance(0.4):
            step = self.pick([1, 2, 3])
            body = f"SELECT {self.pick([0, 1])}, {self.literal('T')} UNION ALL SELECT n + {step}, " \
                   f"substr(v || {self.pick(['n', 'v'])}, 1, 9) FROM r WHERE n < {self.random.randint(0, 30)}"
            body = body.replace("|| n", "|| CAST(n AS TEXT)").replace(", NULL UNION", ", CAST(NULL AS TEXT) UNION")
            text = f"WITH RECURSIVE r (n, v) AS ({body}) "
        else:
            key = self.column(scope, "I")
            bound = " AND r.v < 6"
            body = f"SELECT id, 0 FROM {name} WHERE {self.expression([('', self.tables[name])], 'B', 2)} {union} " \
                   f"SELECT y.id, r.v + 1 FROM {name} AS y JOIN r ON {key} = r.n WHERE " \
                   f"{self.expression(scope, 'B', 3)}{bound}"
            text = f"WITH RECURSIVE r (n, v) AS ({body}) "
        return text + self.pick(["SELECT * FROM r", "SELECT n, count(*), min(v) FROM r GROUP BY n",
                                 f"SELECT r.n, y.id FROM r LEFT JOIN {name} AS y ON y.id = r.n",
                                 f"SELECT y.id FROM {name} AS y WHERE y.id IN (SELECT n FROM r)"]), False

    def chain(self):
        """Several set operations; SQLite gives INTERSECT no precedence, so it only stands first."""
        kinds = self.random.choices("IIDTB", k=self.random.randint(1, 3))
        text = ""
        for i in range(self.random.randint(2, 5)):
            source, scope = self.tables_from()
            items = [self.expression(scope, kind, 2) for kind in kinds]
            words = ["UNION", "UNION ALL", "EXCEPT"] + (["INTERSECT"] if i == 1 else [])
            where = f" WHERE {self.expression(scope, 'B', 2)}" if self.chance(0.7) else ""
            text += (f" {self.pick(words)} " if i else "") + f"SELECT {', '.join(items)} FROM {source}{where}"
        if self.chance(0.3):
            text = f"SELECT count(*) FROM ({text}) AS q"
        return text, False

    def shared(self):
        """USING and NATURAL."""
        names = self.random.sample(list(self.tables), 2)
        common = [c for c in self.tables[names[0]] if c in self.tables[names[1]]]
        clash = {c for c, _ in self.tables[names[0]]} & {c for c, _ in self.tables[names[1]]} - {c for c, _ in common}
        kind = self.pick(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
        if self.chance(0.4) and not clash:
            source = f"{names[0]} AS x0 NATURAL {kind} {names[1]} AS x1"
            merged = common
        else:
            merged = self.random.sample(common, self.random.randint(1, min(2, len(common))))
            source = f"{names[0]} AS x0 {kind} {names[1]} AS x1 USING ({', '.join(c for c, _ in merged)})"
        scope = [("", merged), ("x0", self.tables[names[0]]), ("x1", self.tables[names[1]])]
        items = ", ".join([self.expression(scope, self.pick("IDTB"), 2) for _ in range(2)] + [c for c, _ in merged])
        where = f" WHERE {self.expression(scope, 'B', 2)}" if self.chance(0.5) else ""
        return f"SELECT {items} FROM {source}{where}", False

    def by_expression(self):
        """GROUP BY of expressions and positions, ORDER BY of what is not given out."""
        source, scope = self.tables_from()
        where = f" WHERE {self.expression(scope, 'B', 1)}" if self.chance(0.5) else ""
        keys = [self.expression(scope, self.pick("ITB"), 2) for _ in range(self.pick([1, 1, 2]))]
        places = [str(i + 1) for i in range(len(keys))]
        folds = [self.aggregate(scope, k) for k in self.random.choices("IIT", k=2)]
        plain = self.chance(0.5)
        group = ", ".join(k if plain and k[0] == "(" and "x0." in k and "SELECT" not in k else p for p, k in zip(places, keys))
        having = f" HAVING {folds[0]} IS NOT NULL AND {self.aggregate(scope, 'I')} > 1" if self.chance(0.3) else ""
        text = f"SELECT {', '.join(keys + folds)} FROM {source}{where} GROUP BY {group}{having}"
        if not self.chance(0.5):
            return text, False
        orders = [f"{f} {self.pick(ORDERS)}" for f in folds] + [f"{p} {self.pick(ORDERS)}" for p in places]
        return f"{text} ORDER BY {', '.join(orders)} LIMIT {self.pick([1, 3, 10])}", True

    def derived(self):
        """A grouped query in FROM, joined, with conditions on what it makes."""
        name, other = self.pick(list(self.tables)), self.pick(list(self.tables))
        columns = self.tables[name]
        key = self.column([("", columns)], "I")
        inner = f"SELECT {key} AS k, {self.aggregate([('', columns)], 'I')} AS n, " \
                f"{self.aggregate([('', columns)], 'T')} AS t FROM {name} GROUP BY {key}"
        scope = [("q", [("k", "I"), ("n", "I"), ("t", "T")]), ("x0", self.tables[other])]
        own = self.column(scope[1:], "I")
        kind = self.pick(["JOIN", "LEFT JOIN"])
        if self.chance(0.5):
            source = f"({inner}) AS q {kind} {other} AS x0 ON q.{self.pick('kn')} = {own}"
        else:
            source = f"{other} AS x0 {kind} ({inner}) AS q ON q.{self.pick('kn')} = {own}"
        items = [self.expression(scope, self.pick("IDTB"), 2) for _ in range(3)]
        where = f" WHERE {self.expression(scope, 'B', 2)}" if self.chance(0.6) else ""
        return f"SELECT {', '.join(items)} FROM {source}{where}", False

    def rows_in(self):
        """Rows in a subquery, subqueries in ON and in ORDER BY."""
        source, scope = self.tables_from()
        name = self.pick(list(self.tables))
        inner = [("y", self.tables[name])]
        kinds = self.random.choices("IT", k=2)
        left = ", ".join(self.expression(scope, k, 3) for k in kinds)
        right = ", ".join(self.expression(inner, k, 3) for k in kinds)
        key, own = self.column(scope, "I"), self.column(inner, "I")
        near = f" WHERE {own} <= {key}" if self.chance(0.4) else ""
        condition = f"({left}) {self.pick(['', 'NOT '])}IN (SELECT {right} FROM {name} AS y{near})"
        items = [self.expression(scope, self.pick("IDTB"), 2) for _ in range(2)]
        text = f"SELECT {', '.join(items)} FROM {source} WHERE {condition}"
        if not self.chance(0.4):
            return text, False
        order = f"(SELECT count(*) FROM {name} AS z WHERE z.id < {key})"
        return f"{text} ORDER BY {order}, 1 {self.pick(ORDERS)}, 2 {self.pick(ORDERS)} LIMIT 4", True


assert set(TYPES) == set("IDTB")
