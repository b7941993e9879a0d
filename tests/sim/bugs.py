#!/usr/bin/env python3
"""Deliberate bugs: could the simulator find what it says is not there?

    bugs.py [--list] [--check] [--seeds N] [NAME ...]

Copies the tree to build-bugs/tree, puts one bug after the other into the copy, builds the simulator
there and runs seeds 1, 2, 3, ... until it complains. Prints a table row for each: the bug, the number
of seeds it took, what was said. Exit code 1 when one was not caught within N seeds (3000).

The product's own assertions are off in the copy: what is tried here are the simulator's checkers.

--check only looks whether each bug still has its place in the sources, and whether the copy has all that
its build asks for, which is how a test keeps this file up to date: a bug is a piece of text that occurs
once, and what stands there instead.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COPY = os.path.join(ROOT, "build-bugs", "tree")

# name, what is wrong, [(file, text, bug), ...]
BUGS = [
    ("commit without quorum", "a leader commits what one node has durable",
     [("src/raft/raft_append.c", "uint64_t index = match[r->quorum - 1];",
       "uint64_t index = match[0];")]),
    ("commit of an earlier term", "a leader counts replicas of entries of earlier terms (figure 8)",
     [("src/raft/raft_append.c", "index <= r->log.committed || index < r->noop_index",
       "index <= r->log.committed")]),
    ("vote twice", "a node votes whatever it has voted before in this term",
     [("src/raft/raft_election.c", "bool grant = free_to_vote && placed &&",
       "bool grant = (free_to_vote || !pre) && placed &&")]),
    ("vote for a shorter log", "the candidate's log is not looked at",
     [("src/raft/raft_election.c", "return last_index >= raft__log_last(&r->log);", "return true;")]),
    ("vote forgotten", "the vote is not written",
     [("src/raft/raft_ready.c", "ready->hard_state = r->hard_state_handed;",
       "ready->hard_state = r->hard_state_handed;\n        ready->hard_state.vote = 0;")]),
    ("elected by one vote", "a candidate leads with its own vote",
     [("src/raft/raft_election.c", "if (yes >= r->quorum && r->own_vote == RAFT_VOTE_YES) {",
       "if (r->own_vote == RAFT_VOTE_YES) {")]),
    ("elected without a majority", "a candidate counts one vote more than it has",
     [("src/raft/raft_election.c", "if (yes >= r->quorum && r->own_vote == RAFT_VOTE_YES) {",
       "if (yes + 1 >= r->quorum && r->own_vote == RAFT_VOTE_YES) {")]),
    ("previous entry not compared", "a follower appends to a log that differs before",
     [("src/raft/raft_append.c", "if (previous_term != m->log_term) {", "if (false) {")]),
    ("heartbeat commits all", "a heartbeat's commit index is the leader's, whatever the follower has",
     [("src/raft/raft_heartbeat.c",
       "uint64_t commit = r->log.committed < p->match ? r->log.committed : p->match;",
       "uint64_t commit = r->log.committed;"),
      ("src/raft/raft_heartbeat.c", "if (m->commit > r->log.committed)\n        raft__commit(r, m->commit);",
       "if (m->commit > r->log.committed)\n        raft__commit(r, m->commit < raft__log_last(&r->log) ? "
       "m->commit : raft__log_last(&r->log));")]),
    ("reads without ReadIndex", "a leader answers reads without asking whether it still is one",
     [("src/raft/raft_read.c", "if (read_leader_ready(r) && read_lease_holds(r)) {",
       "if (read_leader_ready(r)) {")]),
    ("reads before the first commit", "a new leader answers reads before it knows what is committed",
     [("src/raft/raft_read.c", "return r->log.committed >= r->noop_index;", "return true;")]),
    ("change without the published fix",
     "a leader changes members before it has committed an entry of its own term",
     [("src/raft/raft_members.c", "r->membership_count > 1 || r->log.committed < r->noop_index ||",
       "r->membership_count > 1 ||"),
      ("src/replica/replica_admin_judge.c",
       "if (!replica__may_judge(r))\n        status = ERR_NOT_LEADER;",
       "if (r->role != RAFT_LEADER)\n        status = ERR_NOT_LEADER;")]),
    ("two changes at once", "a change of members does not wait for the one before",
     [("src/raft/raft_members.c", "if (r->membership_count > 1 ||", "if ("),
      ("src/replica/replica_members_lead.c", "return r->members.index <= r->applied_index;",
       "return true;")]),
    ("an id used before", "a node takes itself for the one that had its id before it",
     [("src/raft/raft_members.c", "r->memberships[i].index >= r->config.members_since)", "true)"),
      ("src/raft/raft_election.c",
       "bool placed = raft__members(r)->index >= r->config.members_since;", "bool placed = true;")]),
    ("restore drops entries",
     "a snapshot takes the place of a log that holds more than it, acknowledged entries too",
     [("src/raft/raft_restore.c", "if (index <= r->log.committed)\n        return ERR_EXISTS;", ""),
      ("src/raft/raft_restore.c", "return known == term ? ERR_EXISTS : OK;", "return OK;")]),
    ("skip fsync", "the log is written and not synced",
     [("src/wal/wal_write.c", "status_t status = env_file_sync(file, error);", "status_t status = OK;")]),
    ("ack before persist", "messages that promise something go out before it is durable",
     [("src/replica/replica.c",
       "struct replica__bundle bundle = {.sequence = ready->sequence,\n",
       "raft_messages_send(r, ready->messages_after_persist, ready->messages_after_persist_count);\n"
       "    struct replica__bundle bundle = {.sequence = ready->sequence,\n")]),
    ("log compacted above the checkpoint", "entries are dropped that only memory has applied",
     [("src/replica/replica_checkpoint.c",
       "if (keep > r->checkpoint_index + 1)\n        keep = r->checkpoint_index + 1;",
       "if (keep > r->applied_index + 1)\n        keep = r->applied_index + 1;"),
      ("src/replica/replica_checkpoint.c", "ASSERT(keep - 1 <= wal_durable_index(r->wal));", "")]),
    ("apply out of order", "of two entries handed out together the later one is applied first",
     [("src/replica/replica_apply.c", "status_t status = apply_entry(r, entry, &version, &error);",
       "uint32_t swapped = burst->at ^ 1u;\n"
       "        struct raft_entry other = burst->entries[swapped < burst->count ? swapped : burst->at];\n"
       "        other.index = entry->index;\n"
       "        status_t status = apply_entry(r, &other, &version, &error);"),
      ("src/replica/replica_apply.c",
       "if (txn_effect_decode(body, &effect) != OK || effect.version <= r->applied_version)",
       "if (txn_effect_decode(body, &effect) != OK)")]),
    ("dedup off", "a commit request that comes again is applied again",
     [("src/txn/txn_apply.c",
       "(before.sequence > id.sequence || (before.sequence == id.sequence && !before.refused));",
       "false;"),
      ("src/replica/replica_judge.c", "if (under_way(r, from, request->id))\n        return true;",
       "return false;")]),
    ("writes of a range are not looked at", "a transaction commits over a phantom",
     [("src/txn/txn_certify.c", "if (range_written(certifier, &range, request->read_version, key))",
       "if (range.point && range_written(certifier, &range, request->read_version, key))")]),
    ("reads do not wait for the index", "a node reads at once what it has, not what the leader said",
     [("src/replica/replica_read.c", "if (!read->answered || read->index > r->applied_index) {",
       "if (!read->answered) {")]),
    ("certifier knows nothing", "a new leader's window of writes is empty and begins at zero",
     [("src/replica/replica.c", "txn_certifier_start(r->certifier, r->applied_version);",
       "txn_certifier_start(r->certifier, 0);")]),
    ("snapshot with a hole", "now and then a pair of a snapshot is left out",
     [("src/replica/replica_snapshot_receive.c",
       "work->status = kv_load_put(work->load, key, value, &work->error);",
       "work->status = key.data[key.size - 1] % 64 == 5\n"
       "                           ? OK\n"
       "                           : kv_load_put(work->load, key, value, &work->error);")]),
    ("refusals ignored", "a leader does not go back in the log of a follower that refused",
     [("src/raft/raft_append.c", "bool late = m->log_index <= p->match ||",
       "bool late = true || m->log_index <= p->match ||")]),
    ("unconfirmed answers", "a SELECT may run on whatever the node has",
     [("src/sql/step.c", "event->may_be_unconfirmed = autocommit && dml && session->attempt == 0;",
       "event->may_be_unconfirmed = autocommit;"),
      ("src/sql/step.c", "bool again = !session->confirmed;", "bool again = false;")]),
    ("checksum not compared", "a page is taken as it is read",
     [("src/kv/kv_page.c", "if (page->crc != kv__page_crc(kv, page))", "if (false)"),
      ("src/kv/kv_scrub.c", "if (page->birth <= walk->durable && page->crc != kv__page_crc(kv, page))",
       "if (false)")]),
]


CHECK_H = "src/base/check.h"
ASSERT_ON = "(__builtin_expect(!!(condition), 1) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))"


def read(root, file):
    with open(os.path.join(root, file), encoding="utf-8") as stream:
        return stream.read()


def write(root, file, text):
    path = os.path.join(root, file)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.exists(path) and read(root, file) == text:
        return  # nothing is built again
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)


def check():
    """What has no place, or more than one, in the sources."""
    for name, _, changes in BUGS:
        for file, text, _ in changes:
            try:
                count = read(ROOT, file).count(text)
            except FileNotFoundError:
                count = 0
            if count != 1:
                yield f'"{name}": {file} has this {count} times: {text}'


def tree_copy():
    files = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard", "src", "tests",
                            "include", "protobuf", "tools", "docs", "meson.build", "meson_options.txt"],
                           stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    for file in files:
        path = os.path.join(COPY, file)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        source = os.path.join(ROOT, file)
        if not os.path.exists(path) or read(COPY, file) != read(ROOT, file):
            shutil.copyfile(source, path)
    text = read(ROOT, CHECK_H)
    quiet = text.replace(ASSERT_ON, "((void)(condition))")
    if quiet == text:
        sys.exit(f"{CHECK_H}: ASSERT is not as it was")
    write(COPY, CHECK_H, quiet)


def configure(directory):
    # A bug may leave something unused.
    done = subprocess.run(["meson", "setup", directory, COPY, "-Dc_args=-Wno-error"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stdout)


def build():
    directory = os.path.join(COPY, "build")
    if not os.path.exists(os.path.join(directory, "build.ninja")):
        configure(directory)
    done = subprocess.run(["ninja", "-C", directory, "tests/sim/sim"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stdout)
    return os.path.join(directory, "tests", "sim", "sim")


def hunt(bug, seeds):
    """Seeds it took and what was said, or None."""
    _, _, changes = bug
    right = {file: read(COPY, file) for file, _, _ in changes}
    for file, text, instead in changes:
        write(COPY, file, read(COPY, file).replace(text, instead))
    try:
        sim = build()
        done = subprocess.run([sim, "--seed", "1", "--seeds", str(seeds), "--stop"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              errors="replace", check=False)
    finally:
        for file, text in right.items():
            write(COPY, file, text)
    found = re.search(r"^seed (\d+) failed: (.*)$", done.stdout, re.MULTILINE)
    return (int(found.group(1)), found.group(2)) if found else None


def main():
    arguments = argparse.ArgumentParser(usage=__doc__)
    arguments.add_argument("--list", action="store_true")
    arguments.add_argument("--check", action="store_true")
    arguments.add_argument("--seeds", type=int, default=3000)
    arguments.add_argument("names", nargs="*")
    options = arguments.parse_args()
    if options.list:
        for name, what, _ in BUGS:
            print(f"{name}: {what}")
        return 0
    lost = list(check())
    for line in lost:
        print(line)
    if lost:
        return 1
    tree_copy()
    if options.check:
        with tempfile.TemporaryDirectory() as directory:
            configure(os.path.join(directory, "build"))
        return 0
    missed = 0
    print("| bug | seeds | what was said |\n| --- | --- | --- |", flush=True)
    for bug in BUGS:
        if options.names and bug[0] not in options.names:
            continue
        found = hunt(bug, options.seeds)
        missed += found is None
        seeds, said = found or (f"not in {options.seeds}", "")
        print(f"| {bug[0]}: {bug[1]} | {seeds} | {said[:160]} |", flush=True)
    return 1 if missed else 0


sys.exit(main())
