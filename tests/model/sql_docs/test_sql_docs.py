"""Every example of docs/sql.md runs, from the first to the last in one session.

A statement of a ```sql block ends with a semicolon at the end of a line. One with "-- error XXXXX"
behind it must fail with that SQLSTATE, every other one must not.

usage: test_sql_docs.py SQL_PIPE DOCUMENT
"""
import re
import subprocess
import sys


def examples(path):
    """(line, statement, SQLSTATE or None)"""
    inside, statement, start = False, "", 0
    with open(path, encoding="utf-8") as document:
        for number, line in enumerate(document, 1):
            if line.startswith("```"):
                inside = line.startswith("```sql")
                continue
            if not inside:
                continue
            text, _, remark = line.rstrip("\n").partition(" -- ")
            if not statement:
                start = number
            statement += " " + text.strip()
            if text.rstrip().endswith(";"):
                error = re.match(r"error (\w{5})", remark)
                yield start, statement.strip(), error.group(1) if error else None
                statement = ""


def main():
    pipe = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    count = bad = 0
    for line, statement, wanted in examples(sys.argv[2]):
        pipe.stdin.write(statement.encode() + b"\n")
        pipe.stdin.flush()
        answer = []
        while (said := pipe.stdout.readline().decode().rstrip("\n")) != ".":
            answer.append(said)
        got = next((said.split()[1].rstrip(":") for said in answer if said.startswith("ERROR")), None)
        count += 1
        if got != wanted:
            bad += 1
            print(f"# line {line}: {statement}\n#   {answer[:2]}, wanted {wanted or 'no error'}")
    pipe.stdin.close()
    good = pipe.wait() == 0 and bad == 0 and count > 20
    print(f"1..1\n{'ok' if good else 'not ok'} 1 - {count} examples of the reference")
    return 0 if good else 1


sys.exit(main())
