"""Random statements must do the same here and in SQLite, in what the two dialects share.

Every seed makes a few tables with keys and indexes, then inserts, updates, deletes and queries at
random. Rows of queries, errors (whether, not which), counts, and after each change the whole table
are compared. Left out is what the two see differently on purpose: SQLite checks uniqueness row by
row within an UPDATE, its arithmetic overflows into doubles, a subquery of a change may see what the
change has done already, and it takes a constant ON of an inner join for a condition of the whole (a
bug when a RIGHT JOIN follows). It also overlooks the NULL in x NOT IN (SELECT column ...) when the
column has a descending index: its indexes all ascend here, ours do not.

How many rows operators hand on at once, and how many bytes they may hold before they put rows aside
in files, changes at random as well: no answer may.

A first line to a seed's failure is the change or query before it; run that seed alone for more.
"""
import argparse
import multiprocessing
import re
import sys

from dialect import Dialect
from generator import Settings, Toydb, alike

try:
    import sqlite3
except ImportError:
    print("1..0 # SKIP python has no sqlite3")
    sys.exit(0)
if sqlite3.sqlite_version_info < (3, 39):
    print("1..0 # SKIP sqlite3 before 3.39 has no RIGHT JOIN")
    sys.exit(0)

STATEMENTS = 150


def sort_key(row):
    return tuple((0, 0) if v is None else (1, float(v)) if isinstance(v, (int, float)) else (2, v)
                 for v in row)


def table_of(rows, ordered):
    rows = [tuple(map(alike, row)) for row in rows]
    return rows if ordered else sorted(rows, key=sort_key)


class Comparison:
    def __init__(self, toydb, seed):
        self.generator = Dialect(seed)
        self.settings = Settings(seed)
        self.toydb = toydb
        self.sqlite = sqlite3.connect(":memory:", isolation_level=None)
        self.sqlite.execute("PRAGMA foreign_keys = ON")
        self.sqlite.execute("PRAGMA case_sensitive_like = ON")
        self.log = []
        self.in_transaction = False
        self.compared = 0

    def both(self, text):
        self.log.append(text)
        ours = self.toydb.run(text)
        try:
            theirs = text.replace(" DESC", "") if text.startswith("CREATE") else text
            cursor = self.sqlite.execute(theirs)
            return ours, cursor.fetchall(), cursor.rowcount, None
        except sqlite3.Error as error:
            return ours, None, -1, str(error)

    def roll_back(self):
        if self.in_transaction:
            self.in_transaction = False
            self.toydb.run("ROLLBACK")
            self.sqlite.execute("ROLLBACK")

    @staticmethod
    def apart_on_purpose(text, ours, theirs):
        """One side fails and may."""
        return (ours or "").startswith(("ERROR 22003", "ERROR 22012")) or \
            "integer overflow" in (theirs or "") or \
            (text.startswith("UPDATE") and "UNIQUE" in (theirs or "") and not ours)

    def query(self, text, ordered):
        (rows, _, error), reference, _, failure = self.both(text)
        self.compared += 1
        if error or failure:
            self.roll_back()
            if bool(error) != bool(failure) and not self.apart_on_purpose(text, error, failure):
                return f"{error} / {failure}"
            return None
        ours, theirs = table_of(rows, ordered), table_of(reference, ordered)
        return None if ours == theirs else f"{ours[:5]} / {theirs[:5]}"

    def change(self, text):
        """What differs, and whether the two can go on."""
        (rows, tag, error), given, count, failure = self.both(text)
        self.compared += 1
        if bool(error) != bool(failure):
            if self.apart_on_purpose(text, error, failure):
                return None, False
            return f"{error} / {failure}", False
        if error:
            self.roll_back()
        elif self.generator.actions and text.startswith("DELETE"):
            pass  # SQLite does not count what a cascade has deleted before its turn came
        elif " RETURNING " in text:
            if table_of(rows, False) != table_of(given, False):
                return f"{rows} / {given}", False
        elif int(tag.split()[-1]) != count:
            return f"{tag} / {count} rows", False
        name = re.match(r"(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)", text).group(1)
        for changed in self.generator.tables if self.generator.actions else [name]:
            difference = self.query(f"SELECT * FROM {changed}", False)
            if difference:
                return difference, False
        return None, True

    def run(self):
        """The first difference, or None."""
        self.toydb.run("reset")
        for text in self.generator.schema():
            (_, _, error), _, _, failure = self.both(text)
            if bool(error) != bool(failure):
                return f"{error} / {failure}"
        for i in range(STATEMENTS):
            if i % 10 == 0:
                self.log.append(f"-- {self.settings.choose(self.toydb)}")
            dice = self.generator.random.random()
            if dice < 0.02:
                text = self.generator.pick(["COMMIT", "ROLLBACK"]) if self.in_transaction \
                    else "BEGIN"
                self.in_transaction = not self.in_transaction
                self.both(text)
            elif i < 25 or dice < 0.37:
                make = self.generator.insert if i < 25 or dice < 0.25 else \
                    self.generator.update if dice < 0.33 else self.generator.delete
                text = make()
                self.generator.changed = None
                difference, can_go_on = self.change(text)
                if not can_go_on:
                    return difference
            else:
                difference = self.query(*self.generator.select())
                if difference:
                    return difference
        return None


def compare(job):
    """Some seeds on a program of their own: statements compared, texts of differences, its exit."""
    program, seeds = job
    toydb = Toydb(program)
    compared, different = 0, []
    for seed in seeds:
        comparison = Comparison(toydb, seed)
        try:
            difference = comparison.run()
        except RuntimeError as crash:
            difference = str(crash)
            toydb = Toydb(program)
        compared += comparison.compared
        if difference:
            last = "\n".join(f"# seed {seed}: {text}" for text in comparison.log[-3:])
            different.append(f"{last}\n#   {difference}")
    return compared, different, toydb.end()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--seed", type=int, default=1, help="the first")
    parser.add_argument("--seeds", type=int, default=40, help="of a round")
    parser.add_argument("--statements", type=int, default=0, help="rounds until so many are compared")
    parser.add_argument("--jobs", type=int, default=1, help="seeds at the same time")
    options = parser.parse_args()
    seed, compared, different, ended = options.seed, 0, 0, 0
    with multiprocessing.Pool(options.jobs) as pool:
        while seed == options.seed or compared < options.statements:
            end = seed + options.seeds
            shares = [(options.program, range(seed + j, end, options.jobs))
                      for j in range(options.jobs)]
            for count, differences, code in pool.map(compare, shares):
                compared += count
                different += len(differences)
                ended = ended or code
                for text in differences:
                    print(text, flush=True)
            seed = end
    print(f"# {compared} statements compared")
    print(f"{'not ok' if different else 'ok'} 1 - {seed - options.seed} random databases agree with SQLite")
    print(f"{'not ok' if ended else 'ok'} 2 - the program ends well\n1..2")
    return 1 if different or ended else 0


if __name__ == "__main__":
    sys.exit(main())
