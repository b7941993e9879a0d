"""What must hold of answers without anybody to ask for the right one.

- Indexes: the same statements on the same tables, once with their indexes and once without those
  that are not unique, give the same rows.
- Settings: a query gives the same rows with any vector size, with memory so little that operators
  put rows aside in files, by any number of threads, with columns read late or at once.
- Partition: WHERE p, WHERE NOT p and WHERE p IS NULL share the rows of a query out among them, and
  count, sum, min and max of the three make those of the whole.
- Condition: as many rows pass WHERE p as make p true where it stands among the columns.

A statement that fails for arithmetic (22003, 22012) is left out: whether a row is looked at that
makes it fail is a plan's own affair.
"""
import argparse
import sys

from generator import Generator, Settings, Toydb, alike

STATEMENTS = 120


def multiset(rows):
    return sorted(repr(tuple(map(alike, row))) for row in rows)


def may_fail(error):
    return (error or "").startswith(("ERROR 22003", "ERROR 22012"))


class World:
    def __init__(self, plain, indexed, seed):
        self.generator = Generator(seed)
        self.settings = Settings(seed)
        self.plain, self.indexed = plain, indexed
        self.checked = 0

    def rows(self, text):
        """None: it failed, and may."""
        rows, _, error = self.indexed.run(text)
        if error and not may_fail(error):
            raise AssertionError(f"{text}\n#   {error}")
        return None if error else rows

    def setup(self):
        """What differs already, or None."""
        for toydb in (self.plain, self.indexed):
            toydb.run("reset")
        for text in self.generator.schema():
            self.indexed.run(text)
            if not text.startswith("CREATE INDEX"):
                self.plain.run(text)
        for i in range(50):
            text = self.generator.insert() if i < 40 else self.generator.update()
            self.generator.changed = None
            self.indexed.run("BEGIN")
            difference, undone = self.both(text)
            self.indexed.run("ROLLBACK" if undone else "COMMIT")
            if difference:
                return difference
        return None

    def both(self, text):
        """On both: what differs, or None; whether the second failed for its arithmetic, and so the
        first's change is to be undone."""
        self.checked += 1
        ours, tag, error = self.indexed.run(text)
        others, other_tag, other_error = self.plain.run(text) if not may_fail(error) else \
            (None, "", error)
        if may_fail(other_error):
            return None, True
        if (error, tag) == (other_error, other_tag) and multiset(ours or []) == multiset(others or []):
            return None, False
        return f"{text}\n#   {error or tag} {ours and ours[:5]} / " \
               f"{other_error or other_tag} {others and others[:5]}", False

    def partition(self):
        generator = self.generator
        source, scope = generator.tables_from()
        condition = generator.expression(scope, "B", generator.pick([0, 1, 2]))
        parts = [f"WHERE {condition}", f"WHERE NOT ({condition})", f"WHERE ({condition}) IS NULL"]
        items = ", ".join(generator.expression(scope, kind, 2) for kind in "IDT")
        self.checked += 1
        found = [self.rows(f"SELECT {items} FROM {source} {part}") for part in [""] + parts]
        if None not in found and multiset(found[0]) != multiset(found[1] + found[2] + found[3]):
            return f"SELECT {items} FROM {source} {parts[0]}\n#   " \
                   f"{[len(rows) for rows in found]} rows"
        kind = generator.pick("IT")
        value = generator.expression(scope, kind, 2)
        items = f"count(*), min({value}), max({value})" + (f", sum({value})" if kind == "I" else "")
        found = [self.rows(f"SELECT {items} FROM {source} {part}") for part in [""] + parts]
        if None in found:
            return None
        whole, *shares = [rows[0] for rows in found]
        if whole != self.joined(shares):
            return f"SELECT {items} FROM {source} {parts[0]}\n#   {whole} of {shares}"
        return None

    @staticmethod
    def joined(shares):
        """The aggregates of the whole out of those of the parts."""
        columns = list(zip(*shares))
        folds = [sum, min, max, sum]
        out = []
        for fold, column in zip(folds, columns):
            known = [value for value in column if value is not None]
            if fold in (min, max):
                known.sort(key=lambda v: v.encode() if isinstance(v, str) else v)
                out.append((known[0] if fold is min else known[-1]) if known else None)
            else:
                out.append(fold(known) if known else None)
        return tuple(out)

    def condition(self):
        source, scope = self.generator.tables_from()
        condition = self.generator.expression(scope, "B", self.generator.pick([0, 1, 2]))
        self.checked += 1
        filtered = self.rows(f"SELECT count(*) FROM {source} WHERE {condition}")
        counted = self.rows(
            f"SELECT COALESCE(sum(CASE WHEN {condition} THEN 1 ELSE 0 END), 0) FROM {source}")
        if filtered is None or counted is None or filtered == counted:
            return None
        return f"SELECT count(*) FROM {source} WHERE {condition}\n#   {filtered} / {counted}"

    def any_settings(self):
        """The same query under three choices of settings and with none."""
        text, _ = self.generator.select()
        self.checked += 1
        found = []
        for i in range(4):
            chosen = self.settings.choose(self.indexed) if i < 3 else "neither"
            if i == 3:
                self.indexed.run("RESET vector_size")
                self.indexed.run("RESET work_mem")
                self.indexed.run("RESET parallel_workers")
                self.indexed.run("RESET parallel_rows")
                self.indexed.run("RESET late_columns")
            rows = self.rows(text)
            if rows is None:
                continue
            found.append((multiset(rows), rows, chosen))
            if found[0][0] != found[-1][0]:
                return f"{text}\n#   {found[0][2]} / {chosen}: {found[0][1][:5]} / {rows[:5]}"
        return None

    def run(self):
        difference = self.setup()
        if difference:
            return difference
        for i in range(STATEMENTS):
            if i % 6 == 0:
                text, _ = self.generator.select()
                difference, _ = self.both(text)
            elif i % 6 == 3:
                difference = self.any_settings()
            else:
                difference = self.partition() if i % 3 == 1 else self.condition()
            if difference:
                return difference
        return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--seed", type=int, default=1, help="the first")
    parser.add_argument("--seeds", type=int, default=25)
    options = parser.parse_args()
    programs = [Toydb(options.program), Toydb(options.program)]
    checked = different = 0
    for seed in range(options.seed, options.seed + options.seeds):
        world = World(*programs, seed)
        try:
            difference = world.run()
        except AssertionError as failure:
            difference = str(failure)
        checked += world.checked
        if difference:
            different += 1
            print(f"# seed {seed}: {difference}", flush=True)
    print(f"# {checked} checks")
    print(f"{'not ok' if different else 'ok'} 1 - {options.seeds} random databases")
    ended = max([program.end() for program in programs])
    print(f"{'not ok' if ended else 'ok'} 2 - the programs end well\n1..2")
    return 1 if different or ended else 0


if __name__ == "__main__":
    sys.exit(main())
