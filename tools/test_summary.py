#!/usr/bin/env python3
"""Counts single test cases in the logs of `meson test`.

    test_summary.py testlog.json...

Prints what failing tests wrote, then as the last line `N passed, N failed`. Exit code 1 when a case
failed or none ran.

A program that prints TAP counts once for each of its lines `ok` and `not ok`, one that does not
counts as one. Cases a plan (`1..N`) promised and the program did not reach are failed ones, and so
is a program that ended badly although all its cases were fine.
"""
import json
import re
import sys

CASE = re.compile(r"^(not )?ok\b(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)")
SKIP = re.compile(r"#\s*skip\b", re.IGNORECASE)
GOOD = ("OK", "EXPECTEDFAIL", "SKIP")
OUTPUT_MAX = 20000  # characters of one failing test that are shown; of more, the end


def count(test):
    """(passed, failed, [skipped cases]) of one entry of the log."""
    good = test["result"] in GOOD
    passed = failed = 0
    skipped, planned = [], None
    for line in (test.get("stdout") or "").splitlines():
        case, plan = CASE.match(line), PLAN.match(line)
        if plan:
            planned = (planned or 0) + int(plan.group(1))
        elif case and SKIP.search(case.group(2)):
            skipped.append(case.group(2).strip(" -"))
        elif case and case.group(1):
            failed += 1
        elif case:
            passed += 1
    if passed + failed + len(skipped) == 0:  # no TAP
        if test["result"] == "SKIP":
            return 0, 0, ["the whole program"]
        return (1, 0, []) if good else (0, 1, [])
    if planned is not None:
        failed += max(0, planned - passed - failed - len(skipped))
    if not good and failed == 0:
        failed = 1
    return passed, failed, skipped


def show(test):
    print(f"==== {test['name']}: {test['result']}, exit code {test.get('returncode')}")
    for stream in ("stdout", "stderr"):
        text = test.get(stream) or ""
        if len(text) > OUTPUT_MAX:
            text = "[...]\n" + text[-OUTPUT_MAX:]
        if text:
            print(text, end="" if text.endswith("\n") else "\n")


def main(paths):
    total_passed = total_failed = 0
    for path in paths:
        try:
            with open(path, encoding="utf-8") as file:
                tests = [json.loads(line) for line in file]
        except OSError as error:
            print(f"no test log: {error}")
            continue
        for test in tests:
            passed, failed, skipped = count(test)
            total_passed += passed
            total_failed += failed
            for case in skipped:
                print(f"skipped: {test['name']}: {case}")
            if failed:
                show(test)
    print(f"{total_passed} passed, {total_failed} failed")
    return 1 if total_failed or not total_passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
