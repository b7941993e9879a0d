#!/usr/bin/env python3
"""The house's own linter: what no compiler says.

    tidy.py [ROOT]

Fails on banned calls, on leftover markers, on files and functions that are too long, on C files no
meson.build names and headers nothing includes, on documents that name what is not there. Reports files and functions that are getting long.
Exit code 1 when something failed.
"""
import os
import re
import sys

FOLDERS = ["src", "include", "tests", "bench"]

# call: (what to use, folders where it is allowed)
BANNED = {
    "sprintf": ("snprintf", ()),
    "vsprintf": ("vsnprintf", ()),
    "strcpy": ("snprintf or memcpy", ()),
    "strcat": ("snprintf or buffer_printf", ()),
    "strncpy": ("snprintf or memcpy", ()),
    "strncat": ("snprintf or buffer_printf", ()),
    "gets": ("fgets", ()),
    "atoi": ("strtol, and look at what it says", ()),
    "atol": ("strtol, and look at what it says", ()),
    "atof": ("strtod, and look at what it says", ()),
    "alloca": ("an arena", ()),
    "strtok": ("a loop", ()),
    "rand": ("base/prng.h", ()),
    "srand": ("base/prng.h", ()),
    "system": ("libuv's processes", ()),
    "popen": ("libuv's processes", ()),
    "sleep": ("a timer of env or libuv", ("src/env", "tests")),
    "usleep": ("a timer of env or libuv", ("src/env", "tests")),
    "nanosleep": ("a timer of env or libuv", ("src/env", "tests")),
    "malloc": ("base/mem.h", ("src/base", "tests", "bench")),
    "calloc": ("base/mem.h", ("src/base", "tests", "bench")),
    "realloc": ("base/mem.h", ("src/base", "tests", "bench")),
    "free": ("base/mem.h", ("src/base", "tests", "bench")),
    "assert": ("ASSERT of base/check.h", ("tests", "bench")),
}
CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
# Reading it aloud: what is put off has no place in the code. now() is SQL's.
MARKER = re.compile(r"\b(TODO|FIXME)\b|(?<![-\w])XXX(?!\w)|\bfor now\b(?!\()")
# Files that take memory from a library which wants it back through free().
FREE_FILES = set()

# What the documents name: functions, and files of the tree.
DOCUMENTS = ["architecture.md", "life-of-a-statement.md", "formats.md", "operations.md", "testing.md"]
NAME = re.compile(r"^[a-z][a-z0-9]*(_{1,2}[a-z0-9]+)+(\(\))?$")
PLACE = re.compile(r"^(src|tests|docs|tools|protobuf|include|sandbox)/[\w/.-]+$")

FILE_FAIL, FILE_REPORT = 800, 500
FUNCTION_FAIL, FUNCTION_REPORT = 100, 70

NOT_CODE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def code_only(text):
    """The text with comments, strings and character constants blanked, lines kept."""
    return NOT_CODE.sub(lambda match: re.sub(r"[^\n]", " ", match.group(0)), text)


def sources(root):
    for folder in FOLDERS:
        for directory, folders, files in os.walk(os.path.join(root, folder)):
            folders.sort()
            for name in sorted(files):
                if name.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(directory, name), root)


def check_calls(file, text):
    for number, line in enumerate(code_only(text).split("\n"), 1):
        for match in CALL.finditer(line):
            name = match.group(1)
            instead, allowed = BANNED[name]
            if any(file.startswith(folder + "/") for folder in allowed):
                continue
            if name == "free" and file in FREE_FILES:
                continue
            yield file, number, f"{name}() is banned: use {instead}"


def check_markers(file, text):
    for number, line in enumerate(text.split("\n"), 1):
        match = MARKER.search(line)
        if match:
            yield file, number, f'"{match.group(0)}": do it, or leave it out'


def functions(text):
    """(first line, lines of the body) of each function: .clang-format puts its braces at column 0."""
    start = None
    for number, line in enumerate(text.split("\n"), 1):
        if line == "{":
            start = number
        elif line.startswith("}") and start is not None:
            yield start, number - start + 1
            start = None


def check_length(file, text):
    """(failures, reports)"""
    failures, reports = [], []

    def judge(number, what, length, fail, report):
        if length > fail:
            failures.append((file, number, f"{what} has {length} lines, more than {fail}"))
        elif length > report:
            reports.append((file, number, f"{what} has {length} lines"))

    judge(1, "the file", text.count("\n"), FILE_FAIL, FILE_REPORT)
    for number, length in functions(text):
        judge(number, "the function", length, FUNCTION_FAIL, FUNCTION_REPORT)
    return failures, reports


def build_names(root, folder):
    """What the meson.build files of a folder and of those above it quote."""
    names = set()
    while True:
        path = os.path.join(root, folder, "meson.build")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                for quoted in re.findall(r"'([^'\n]*)'", file.read()):
                    names.add(os.path.basename(quoted))
        if not folder:
            return names
        folder = os.path.dirname(folder)


def is_named(name, names):
    """Whole, without its ending, or put together of two strings ('test_' + room + '.c')."""
    stem = name[:-2]
    if name in names or stem in names:
        return True
    return any(stem[:cut] in names and stem[cut:] in names for cut in range(1, len(stem)))


def check_used(root, texts):
    included = set()
    for text in texts.values():
        included.update(os.path.basename(name) for name in re.findall(r'#\s*include\s*[<"]([^>"]+)', text))
    for file in texts:
        name = os.path.basename(file)
        if name.endswith(".c"):
            names = build_names(root, os.path.dirname(file))
            if not is_named(name, names):
                yield file, 1, "no meson.build names this file"
        elif name not in included:
            yield file, 1, "nothing includes this header"


def test_names(root):
    """Names of tests as meson.build has them: whole, or put together of two strings."""
    strings = set()
    for directory, _, files in os.walk(os.path.join(root, "tests")):
        if "meson.build" in files:
            with open(os.path.join(directory, "meson.build"), encoding="utf-8") as opened:
                strings.update(re.findall(r"'(\w+)'", opened.read()))
    return strings | {first + second for first in strings if first.endswith("_")
                      for second in strings}


def check_documents(root, texts):
    """Names and paths that the documents put between backquotes must exist."""
    words = test_names(root)
    for file, text in texts.items():
        if file.startswith(("src/", "include/")):
            words.update(re.findall(r"\w+", text))
    documents = ["README.md"] + [os.path.join("docs", name) for name in DOCUMENTS]
    for file in documents:
        path = os.path.join(root, file)
        if not os.path.exists(path):
            continue
        with open(path, encoding="utf-8") as opened:
            for number, line in enumerate(opened, 1):
                for name in re.findall(r"`([^`]+)`", line):
                    if NAME.match(name) and name.removesuffix("()") not in words:
                        yield file, number, f"there is no {name} in the sources"
                    elif PLACE.match(name) and not os.path.exists(os.path.join(root, name)):
                        yield file, number, f"there is no {name}"


def main(arguments):
    root = arguments[0] if arguments else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    texts = {}
    for file in sources(root):
        with open(os.path.join(root, file), encoding="utf-8", errors="replace") as opened:
            texts[file] = opened.read()
    problems, reports = [], []
    for file, text in texts.items():
        problems += check_calls(file, text)
        problems += check_markers(file, text)
        failures, long = check_length(file, text)
        problems += failures
        reports += long
    problems += check_used(root, texts)
    problems += check_documents(root, texts)
    for file, number, problem in reports:
        print(f"note: {file}:{number}: {problem}")
    for file, number, problem in problems:
        print(f"{file}:{number}: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
