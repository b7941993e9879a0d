"""The checkers of tools/ and the counting of tests must fail when they should: each is given a small
tree that breaks one rule."""
import json
import os
import subprocess
import sys
import tempfile

ROOT = sys.argv[1]
cases = failures = 0

GOOD = {
    "src/LAYERS": "base:\nkv: base\nsql/types: base\nsql: base sql/types\n",
    "src/base/base.h": "#include <stdint.h>\n",
    "src/base/meson.build": "x = ['base.c', 'arena.c']\n",
    "src/base/base.c": '#include "base/base.h"\n#include "base/arena.h"\n\n/* malloc() */\n',
    "src/base/arena.c": '#include "base/arena.h"\n\nvoid *a(void)\n{\n    return malloc(1);\n}\n',
    "src/base/arena.h": "void *a(void);\n",
    "src/kv/kv.h": '#include "base/arena.h"\n',
    "src/kv/kv_int.h": '#include "kv/kv.h"\n',
    "src/kv/kv.c": '#include "kv/kv_int.h"\n',
    "src/kv/meson.build": "x = 'kv.c'\n",
    "src/sql/types/types.h": "",
    "src/sql/sql.h": '#include "sql/types/types.h"\n',
    "src/sql/sql.c": '#include "sql/sql.h"\n',
    "src/sql/meson.build": "x = 'sql.c'\n",
    "tests/unit/kv/test_kv.c": '#include "kv/kv_int.h"\n',
    "tests/unit/kv/meson.build": "executable('test_' + 'kv')\n",
}


def case(name, good, output=""):
    global cases, failures
    cases += 1
    if not good:
        failures += 1
        print(f"# {name}: {output}")
    print(f"{'ok' if good else 'not ok'} {cases} - {name}")


def run(tool, *arguments):
    done = subprocess.run([sys.executable, os.path.join(ROOT, "tools", tool), *arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def tree(changes):
    directory = tempfile.TemporaryDirectory()
    for name, text in {**GOOD, **changes}.items():
        path = os.path.join(directory.name, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    return directory


def check(name, tool, changes, expected):
    """`expected`: what the tool must complain of; None: it must be content."""
    with tree(changes) as directory:
        code, output = run(tool, directory)
    if expected is None:
        case(name, code == 0, output)
    else:
        case(name, code == 1 and expected in output, output)


def check_layers():
    def bad(name, file, include, expected):
        check("layers: " + name, "check_layers.py", {file: f"#include {include}\n"}, expected)

    check("layers: a good tree", "check_layers.py", {}, None)
    bad("a room not on the line", "src/base/base.c", '"kv/kv.h"', "may not include kv")
    bad("an internal header of another room", "src/sql/sql.c", '"kv/kv_int.h"', "src/sql/sql.c:1")
    bad("a further header of another room", "src/kv/kv.c", '"sql/types/other.h"', "may not include")
    bad("a header that is not the public one", "src/sql/sql.c", '"sql/types/values.h"',
        "not the public header")
    bad("threads outside env", "src/kv/kv.c", "<pthread.h>", "<pthread.h> is for env only")
    bad("files outside env", "src/kv/kv.c", "<fcntl.h>", "<fcntl.h> is for env only")
    bad("time outside env", "src/sql/sql.c", "<time.h>", "<time.h> is for env only")
    bad("nghttp2 outside grpc", "src/kv/kv.c", "<nghttp2/nghttp2.h>", "is for grpc only")
    bad("messages of the API inside the house", "src/kv/kv.c", '"protobuf/toydb.pb-c.h"',
        "src/kv/kv.c:1")
    bad("a test that opens another room", "tests/unit/base/test_base.c", '"kv/kv_int.h"',
        "only its own tests")
    check("layers: a room without a line", "check_layers.py", {"src/new/new.c": ""},
          "in no line of src/LAYERS")
    check("layers: a line that looks up", "check_layers.py", {"src/LAYERS": "base: kv\nkv: base\n"},
          "does not stand above it")


def check_tidy():
    def bad(name, text, expected):
        check("tidy: " + name, "tidy.py", {"src/kv/kv.c": text}, expected)

    check("tidy: a good tree", "tidy.py", {}, None)
    for call in ["sprintf(b, f)", "strcpy(a, b)", "strcat(a, b)", "gets(a)", "atoi(a)", "alloca(4)",
                 "strtok(a, b)", "malloc(4)", "calloc(4, 4)", "realloc(a, 4)", "free(a)", "assert(a)",
                 "usleep(1)"]:
        bad(f"{call} is banned", f"void f(void)\n{{\n    {call};\n}}\n", f"{call.split('(')[0]}() is")
    bad("a banned call in a string or comment is none", 'char *s = "free(x)"; // free(x)\n', None)
    bad("env's own names are none", "void f(void)\n{\n    mem_free(a);\n    x.free(a);\n}\n", None)
    for marker in ["TODO", "FIXME", "XXX", "for now"]:
        bad(f"{marker} is a leftover", f"/* {marker}: this */\n", f'"{marker}"')
    bad("now() of SQL is none", "/* for now() and mkdtemp's d-XXXXXX */\n", None)
    bad("a function too long", "void f(void)\n{\n" + "    f();\n" * 99 + "}\n", "has 101 lines")
    bad("a function getting long", "void f(void)\n{\n" + "    f();\n" * 69 + "}\n", None)
    bad("a file too long", "int a;\n" * 801, "the file has 801 lines")
    check("tidy: a file nobody builds", "tidy.py", {"src/kv/lost.c": ""}, "no meson.build names")
    check("tidy: a function a document made up", "tidy.py", {"README.md": "see `kv_lost`\n"},
          "there is no kv_lost")
    check("tidy: a file a document made up", "tidy.py", {"docs/formats.md": "see `src/kv/lost.c`\n"},
          "there is no src/kv/lost.c")
    check("tidy: a document that tells the truth", "tidy.py",
          {"README.md": "see `src/kv/kv.c`, `mem_free()`\n", "src/kv/kv.c": "void mem_free(void);\n"}, None)
    check("tidy: a header nobody includes", "tidy.py", {"src/kv/lost.h": ""}, "nothing includes")


def summary(tests):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        for number, (result, stdout) in enumerate(tests):
            print(json.dumps({"name": f"t{number}", "result": result, "stdout": stdout}), file=file)
        file.flush()
        code, output = run("test_summary.py", file.name)
    return code, output.splitlines()[-1]


def check_summary():
    def counts(name, tests, code, line):
        got = summary(tests)
        case("summary: " + name, got == (code, line), repr(got))

    counts("cases of TAP", [("OK", "1..2\nok 1 - a\nok 2 - b\n")], 0, "2 passed, 0 failed")
    counts("a failed case", [("FAIL", "1..2\nok 1 - a\nnot ok 2 - b\n")], 1, "1 passed, 1 failed")
    counts("cases not reached", [("ERROR", "1..3\nok 1 - a\n")], 1, "1 passed, 2 failed")
    counts("a crash after the last case", [("ERROR", "1..1\nok 1 - a\n")], 1, "1 passed, 1 failed")
    counts("a timeout", [("TIMEOUT", "ok 1 - a\n")], 1, "1 passed, 1 failed")
    counts("no TAP", [("OK", "hello\n"), ("FAIL", "")], 1, "1 passed, 1 failed")
    counts("skipped cases count as neither", [("OK", "1..2\nok 1 - a\nok 2 - b # SKIP no root\n")], 0,
           "1 passed, 0 failed")
    counts("nothing ran", [], 1, "0 passed, 0 failed")
    code, output = run("test_summary.py", "/nonexistent.json")
    case("summary: no log", code == 1 and output.endswith("0 passed, 0 failed\n"), output)


check_layers()
check_tidy()
check_summary()
print(f"1..{cases}")
sys.exit(1 if failures else 0)
