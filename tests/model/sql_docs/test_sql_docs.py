"""The SQL reference: its examples run, it says what they give, and nothing is left out of it.

Each document is run in one session of its own, from the first example to the last. A statement of a
```sql block ends with a semicolon at the end of a line; the comment lines behind it are what it
must give: rows (with the names of the columns above them when there are several rows), or the error.
"-- ..." stands for anything. In tables `expression` → `value` is run as SELECT expression.

What the sources have and what the reference has headings and rows for are compared: functions,
settings, statements, types, SQLSTATEs.

usage: test_sql_docs.py SQL_PIPE SOURCE_ROOT [--record]     --record writes the documents anew
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[2])
RECORD = "--record" in sys.argv
DOCUMENTS = ["sql.md", "sql-functions.md", "sql-errors.md"]
TYPES = ("boolean|integer|double precision|text|real|numeric|bytea|date|time without time zone|"
         "timestamp without time zone|timestamp with time zone|interval|uuid|unknown")
CELL = re.compile(r"`([^`]+)` → `([^`]*)`")


class Pipe:
    def __init__(self):
        self.process = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def answer(self, statement):
        self.process.stdin.write(statement.encode() + b"\n")
        self.process.stdin.flush()
        lines = []
        while (line := self.process.stdout.readline().decode().rstrip("\n")) != ".":
            lines.append(line)
        return lines

    def close(self):
        self.process.stdin.close()
        return self.process.wait() == 0


def shown(lines):
    """What a reader is told of an answer."""
    at = next((i for i, line in enumerate(lines) if line.startswith("ERROR")), None)
    if at is not None:
        return [re.sub(r"^(ERROR \w{5}) at \d+", r"\1", line) for line in lines[at:]]
    if len(lines) == 1:
        return []
    names = [re.sub(f" ({TYPES})$", "", name) for name in lines[0].split(" | ")]
    rows = lines[1:-1]
    if len(rows) > 1:
        rows.insert(0, " | ".join(names))
    return rows or ["(no rows)"]


def run_block(pipe, lines, problems):
    """The block with what its statements give now."""
    out, statement, at = [], [], 0
    while at < len(lines):
        number, line = lines[at]
        out.append(line)
        at += 1
        if not line.strip() and not statement:
            continue
        statement.append(line.strip())
        if not line.rstrip().endswith(";"):
            continue
        wanted = []
        while at < len(lines) and lines[at][1].startswith("--"):
            wanted.append(lines[at][1][3:])
            at += 1
        got = shown(pipe.answer(" ".join(statement)))
        statement = []
        if wanted == ["..."]:
            got = wanted
        elif wanted != got:
            problems.append((number, got, wanted))
        out += [f"-- {line}".rstrip() for line in got]
    if statement:
        problems.append((lines[-1][0], ["a statement without its semicolon"], []))
    return out


def value_of(pipe, expression):
    lines = pipe.answer("SELECT " + expression.replace(r"\|", "|"))
    error = next((line.split()[1].rstrip(":") for line in lines if line.startswith("ERROR")), None)
    if error:
        return f"error {error}"
    rows = lines[1:-1]
    return (rows[0] if rows and rows[0] else "(empty)").replace("|", r"\|")


def run_row(pipe, number, line, problems):
    def example(match):
        expression, wanted = match.groups()
        got = wanted if wanted == "..." else value_of(pipe, expression)
        if got != wanted:
            problems.append((number, [f"{expression} gives {got}"], [wanted]))
        return f"`{expression}` → `{got}`"
    return CELL.sub(example, line), len(CELL.findall(line))


def run_document(name):
    """(examples, problems), the problems with their lines."""
    path = ROOT / "docs" / name
    pipe, problems, out, count, block, fence = Pipe(), [], [], 0, [], None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            if fence == "sql":
                count += sum(text.rstrip().endswith(";") for _, text in block)
                out += run_block(pipe, block, problems)
            elif fence is None and line[3:] not in ("sql", "text", "sh"):
                problems.append((number, [f"a block of {line[3:] or 'nothing'}"], []))
            fence, block = (line[3:] if fence is None else None), []
            out.append(line)
        elif fence == "sql":
            block.append((number, line))
        else:
            line, examples = run_row(pipe, number, line, problems) if line.startswith("|") and \
                fence is None else (line, 0)
            count += examples
            out.append(line)
    if RECORD:
        path.write_text("\n".join(out) + "\n", encoding="utf-8")
    if not pipe.close():
        problems.append((0, ["the session did not end well"], []))
    return count, problems


# ---- what there is, and what is written about it ---------------------------------------------------

def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


def column(statement):
    pipe = Pipe()
    rows = pipe.answer(statement)[1:-1]
    pipe.close()
    return set(rows)


def first_cells(document, section=None):
    """The code in the first cells of tables, of a section (to the next heading of its rank)."""
    body = text(f"docs/{document}")
    if section:
        body = body.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    for line in body.splitlines():
        if line.startswith("| `"):
            yield from re.findall(r"`([^`]+)`", re.split(r"(?<!\\)\|", line)[1])


def functions():
    """Words of the grammar that are other names of functions are not in the list."""
    words = {"user", "session_user", "current_role", "current_catalog"}
    written = {re.match(r"\w+", cell).group().lower()
               for cell in first_cells("sql-functions.md") if re.match(r"\w+", cell)}
    written -= {cell.lower() for cell in first_cells("sql-functions.md", "Operators")}
    there = column("SELECT DISTINCT name FROM toydb_internal.functions")
    return there, written - words


def settings():
    there = column("SELECT name FROM toydb_internal.settings")
    return there, set(first_cells("sql.md", "Settings"))


def statements():
    """Kinds of statements, and the words that begin one that is refused."""
    kinds = re.search(r"enum ast_statement_kind \{(.*?)\};", text("src/sql/parse/parse.h"), re.S)
    there = {kind.replace("_", " ") for kind in re.findall(r"AST_(\w+)", kinds.group(1))}
    body = text("src/sql/parse/refuse.c").split("refusal statements[]", 1)[1].split("};", 1)[0]
    refused = [word.upper() for word in re.findall(r'\{"(\w+)",', body)]
    written = {name.strip() for heading in re.findall(r"^### ([A-Z].*)$", text("docs/sql.md"), re.M)
               for name in heading.split(",") if name.strip().isupper()}
    absent = {f"{word} (refused)" for word in first_cells("sql.md", "What there is not")}
    return there | {f"{word} (refused)" for word in refused}, written | absent


def types():
    there = set(re.findall(r'^    \{"([a-z0-9 ]+)", \{\.kind', text("src/sql/types/type.c"), re.M))
    body = text("docs/sql.md").split("\n## Types\n")[1].split("\n### ")[0]
    cells = {cell for line in body.splitlines() if line.startswith("|")
             for cell in re.findall(r"`([^`]+)`", line)}
    return there, {re.sub(r"\(.*?\)", "", cell).lower() for cell in cells if cell[0].isupper()}


# Of success there is nothing to say, and 50000 is the default of parallel_rows.
def sqlstates():
    there = set()
    for path in (ROOT / "src").rglob("*.[ch]"):
        there |= set(re.findall(r'"([0-9XFHP][0-9A-Z]{4})"', path.read_text(encoding="utf-8")))
    there = {code for code in there if re.search(r"[0-9]", code)}
    return there - {"00000", "50000"}, set(first_cells("sql-errors.md"))


def compare(what, there, written, problems):
    for name in sorted(there - written):
        problems.append((0, [f"{what}: {name} is not in the reference"], []))
    for name in sorted(written - there):
        problems.append((0, [f"{what}: the reference has {name}, the sources have not"], []))


def main():
    failed = 0
    print(f"1..{len(DOCUMENTS) + 1}")
    for i, document in enumerate(DOCUMENTS, 1):
        count, problems = run_document(document)
        for line, got, wanted in problems:
            print(f"# {document} line {line}: {got}, wanted {wanted}")
        good = not problems and count > 5 or RECORD
        failed += not good
        print(f"{'ok' if good else 'not ok'} {i} - {count} examples of {document}")
    problems = []
    for what in (functions, settings, statements, types, sqlstates):
        there, written = what()
        problems += [] if len(there) > 10 else [(0, [f"{what.__name__}: found {len(there)}"], [])]
        compare(what.__name__, there, written, problems)
    for _, got, _ in problems:
        print(f"# {got[0]}")
    failed += bool(problems)
    print(f"{'ok' if not problems else 'not ok'} {len(DOCUMENTS) + 1} - nothing is left out")
    return 1 if failed else 0


sys.exit(main())
