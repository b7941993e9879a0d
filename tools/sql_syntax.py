#!/usr/bin/env python3
"""What \\h of the shell shows, taken from the reference: the diagram below each statement's heading.

    sql_syntax.py docs/sql.md OUT.h

A heading of capitals ("### CREATE TABLE") is a statement's, or of several with commas between; the
first block of text below it is its diagram. Written as initializers of {command, syntax}.
"""
import pathlib
import re
import sys

HEADING = re.compile(r"^### ([A-Z][A-Z ,]*)$", re.M)
DIAGRAM = re.compile(r"^```text\n(.*?)\n```$", re.M | re.S)


def syntaxes(text):
    """(command, diagram) by name; a heading without a diagram is left out."""
    parts = HEADING.split(text)
    found = {}
    for names, body in zip(parts[1::2], parts[2::2]):
        diagram = DIAGRAM.search(re.split(r"^##", body, maxsplit=1, flags=re.M)[0])
        if diagram:
            found.update((name.strip(), diagram.group(1)) for name in names.split(","))
    return sorted(found.items())


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", '\\n"\n     "') + '"'


def main():
    text = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
    rows = [f"    {{{quoted(name)},\n     {quoted(diagram)}}},\n" for name, diagram in syntaxes(text)]
    pathlib.Path(sys.argv[2]).write_text("".join(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
