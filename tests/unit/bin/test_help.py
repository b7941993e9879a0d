"""\\h of the shell has every statement there is, with the diagram of the reference; its commands are
those that docs/shell.md tells of.

usage: test_help.py TOYSQL SOURCE_ROOT
"""
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(sys.argv[2])
REFERENCE = (ROOT / "docs/sql.md").read_text(encoding="utf-8")


def kinds():
    """Of statements, as the parser has them."""
    source = (ROOT / "src/sql/parse/parse.h").read_text(encoding="utf-8")
    kinds = re.search(r"enum ast_statement_kind \{(.*?)\};", source, re.S)
    return {kind.replace("_", " ") for kind in re.findall(r"AST_(\w+)", kinds.group(1))}


def diagram(name):
    below = re.split(rf"^### (?:.*, )?{name}(?:, .*)?$", REFERENCE, maxsplit=1, flags=re.M)[1]
    return re.search(r"^```text\n(.*?)\n```$", below, re.M | re.S).group(1)


def ask(*commands):
    """(exit code, output, errors) of commands, with a line of its own between any two."""
    with tempfile.TemporaryDirectory() as directory:
        words = [word for command in commands for word in ("-c", command, "-c", "SELECT '#' AS x")]
        done = subprocess.run([sys.argv[1], "--embedded", directory + "/data", "--format", "csv",
                               *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False)
        return done.returncode, done.stdout.split("x\n#\n"), done.stderr


def every_statement():
    code, out, err = ask("\\h")
    listed = {name for line in out[0].splitlines()[:-1] for name in re.split(r"  +", line)}
    assert code == 0 and not err, (code, err)
    assert len(listed) > 20 and listed == kinds(), listed ^ kinds()


def the_reference_s_diagrams():
    names = sorted(kinds())
    code, out, err = ask(*("\\h " + name for name in names))
    assert code == 0 and not err, (code, err)
    for name, shown in zip(names, out):
        # Commands that begin with another's name follow it.
        assert diagram(name) in shown, (name, shown)


def what_people_type():
    code, out, err = ask("\\h create   index;", "\\h Create Table t", "\\h start transaction",
                         "\\h limit", "\\h returning", "\\help drop")
    assert code == 0 and not err, (code, err)
    assert out[0] == diagram("CREATE INDEX") + "\n", out[0]
    assert out[1] == diagram("CREATE TABLE") + "\n", out[1]
    assert out[2] == diagram("BEGIN") + "\n", out[2]
    assert out[3] == diagram("SELECT") + "\n", out[3]
    assert out[4].startswith("RETURNING is a part of DELETE, INSERT, UPDATE"), out[4]
    assert out[5].count("DROP ") > 3, out[5]
    code, _, err = ask("\\h nonsense")
    assert code == 1 and "\\h lists" in err, (code, err)


def commands_of_the_page():
    page = (ROOT / "docs/shell.md").read_text(encoding="utf-8")
    table = page.split("| command | does |", 1)[1].split("\n\n", 1)[0]
    written = {name for line in table.splitlines()
               for name in re.findall(r"`(\\[^ `]+)", re.split(r"(?<!\\)\|", line + "||")[1])}
    listed = set(re.findall(r"\\[a-z]+\+?", ask("\\?")[1][0]))
    assert len(written) > 20 and listed - {"\\?"} == written - {"\\?"}, listed ^ written
    for name in sorted(written):
        _, _, err = ask(name)
        assert "unknown command" not in err, err


def main():
    tests = [every_statement, the_reference_s_diagrams, what_people_type, commands_of_the_page]
    failed = 0
    print(f"1..{len(tests)}")
    for number, test in enumerate(tests, 1):
        try:
            test()
            print(f"ok {number} - {test.__name__}")
        except AssertionError as error:
            failed += 1
            print(f"# {error}\nnot ok {number} - {test.__name__}")
    return 1 if failed else 0


sys.exit(main())
