"""Window frames of every kind, with everything EXCLUDE can take out, give what SQLite gives."""
import argparse
import random
import sys

from generator import Settings, Toydb, alike

try:
    import sqlite3
except ImportError:
    print("1..0 # SKIP python has no sqlite3")
    sys.exit(0)
if sqlite3.sqlite_version_info < (3, 30):
    print("1..0 # SKIP sqlite3 before 3.30 has no EXCLUDE with NULLS FIRST")
    sys.exit(0)

QUERIES = 25
TABLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, g INTEGER, k INTEGER, d DOUBLE PRECISION, s TEXT)"
BY_ANY_ROW = ["sum(k)", "count(*)", "max(d)", "avg(d)", "count(s) FILTER (WHERE k > 0)"]
BY_ORDER = ["first_value(id)", "last_value(id)", "nth_value(id, 2)"]
BY_TEXT = ["min(s)", "max(s)", "min(id)"]


class Comparison:
    def __init__(self, toydb, seed):
        self.random = random.Random(seed)
        self.pick = self.random.choice
        self.toydb = toydb
        self.sqlite = sqlite3.connect(":memory:", isolation_level=None)
        self.settings = Settings(seed)

    def literal(self, value):
        return "NULL" if self.random.random() < 0.12 else str(value)

    def setup(self):
        self.toydb.run("reset")
        texts = [TABLE]
        for i in range(self.random.randint(1, 25)):
            values = [self.literal(self.random.randint(0, 2)), self.literal(self.random.randint(-3, 6)),
                      self.literal(self.pick([0.5, 1.5, -2.25, 3.0])),
                      self.literal(f"'{self.pick('abcd')}'")]
            texts.append(f"INSERT INTO t VALUES ({i}, {', '.join(values)})")
        for text in texts:
            self.sqlite.execute(text)
            assert not self.toydb.run(text)[2], text
        self.settings.choose(self.toydb)

    def bound(self, unbounded):
        return self.pick(["CURRENT ROW", f"{self.random.randint(0, 3)} PRECEDING",
                          f"{self.random.randint(0, 3)} FOLLOWING", f"UNBOUNDED {unbounded}"])

    def query(self):
        mode = self.pick(["ROWS", "RANGE", "GROUPS"])
        function = self.pick(BY_ANY_ROW + BY_TEXT + (BY_ORDER if mode != "RANGE" else []))
        keys = ["k", "k DESC", "d"] if mode == "RANGE" else ["k", "d", "k DESC", "k, id", "s"]
        if function in BY_ORDER:
            keys = ["k, id", "id"]  # peers may come in any order
        elif mode == "ROWS":
            keys = ["k, id", "d, id DESC", "id"]
        nulls = self.pick([" NULLS FIRST", " NULLS LAST"])
        order = ", ".join(key + nulls for key in self.pick(keys).split(", "))
        exclude = self.pick(["", "CURRENT ROW", "GROUP", "TIES", "NO OTHERS"])
        frame = f"{mode} BETWEEN {self.bound('PRECEDING')} AND {self.bound('FOLLOWING')}"
        frame += f" EXCLUDE {exclude}" if exclude else ""
        return f"SELECT id, {function} OVER (PARTITION BY {self.pick(['g', '1'])} " \
               f"ORDER BY {order} {frame}) FROM t ORDER BY id"

    def run(self):
        """The first difference, or None."""
        self.setup()
        for _ in range(QUERIES):
            text = self.query()
            rows, _, error = self.toydb.run(text)
            try:
                expected, failure = self.sqlite.execute(text).fetchall(), None
            except sqlite3.Error as problem:
                expected, failure = None, str(problem)
            if bool(error) != bool(failure):
                return f"{text}\n#   {error} / {failure}"
            if not error and [tuple(map(alike, r)) for r in rows] != \
                    [tuple(map(alike, r)) for r in expected]:
                return f"{text}\n#   {rows} / {expected}"
        return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--seed", type=int, default=1, help="the first")
    parser.add_argument("--seeds", type=int, default=60)
    options = parser.parse_args()
    toydb = Toydb(options.program)
    different = 0
    for seed in range(options.seed, options.seed + options.seeds):
        difference = Comparison(toydb, seed).run()
        if difference:
            different += 1
            print(f"# seed {seed}: {difference}", flush=True)
    print(f"# {options.seeds * QUERIES} queries")
    print(f"{'not ok' if different else 'ok'} 1 - frames of {options.seeds} random tables")
    ended = toydb.end()
    print(f"{'not ok' if ended else 'ok'} 2 - the program ends well\n1..2")
    return 1 if different or ended else 0


if __name__ == "__main__":
    sys.exit(main())
