#!/usr/bin/env python3
"""Holds the walls of src/LAYERS.

    check_layers.py [ROOT]

A file in src/ROOM includes headers of its own room, and of the rooms on its line of src/LAYERS
only room/room.h (base, a set of small independent things, has many headers). A header ending in
_int.h stays in its room; tests of a room, in tests/*/ROOM, may open it too. Generated and system
headers belong to the rooms in the tables below. Prints one line a breach; exit code 1 with any.
"""
import os
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

# System headers that only the named rooms may include. Time, files and threads are env's; sockets
# are server's, and the client's own (docs/decisions/0003-client-sockets.md).
SYSTEM = {
    "nghttp2/nghttp2.h": {"grpc"},
    "uv.h": {"server"},
    "xxhash.h": {"replica"},
    "pcre2.h": {"sql/exec"},
    "histedit.h": {"bin"},
    "editline/readline.h": {"bin"},
    "termios.h": {"bin"},
    "sys/ioctl.h": {"bin"},
    "sys/wait.h": {"bin"},
    "getopt.h": {"bin"},
    "pthread.h": {"env"},
    "threads.h": {"env"},
    "semaphore.h": {"env"},
    "sched.h": {"env"},
    "sys/mman.h": {"env"},
    "fcntl.h": {"env"},
    "dirent.h": {"env"},
    "sys/stat.h": {"env"},
    "sys/statvfs.h": {"env"},
    "sys/statfs.h": {"env"},
    "sys/file.h": {"env"},
    "sys/random.h": {"env"},
    "sys/time.h": {"env"},
    "sys/timerfd.h": {"env"},
    "sys/eventfd.h": {"client"},  # toydb_cancel may be called from a signal handler
    "time.h": {"env"},
    "signal.h": {"env", "server", "bin"},
    "poll.h": {"client", "server", "bin"},  # bin: waits at the terminal
    "sys/epoll.h": {"server"},
    "sys/select.h": set(),
    "sys/socket.h": {"client", "server"},
    "sys/un.h": {"server"},
    "netdb.h": {"client", "server"},
    "netinet/in.h": {"client", "server"},
    "netinet/tcp.h": {"client", "server"},
    "arpa/inet.h": {"client", "server"},
    "unistd.h": {"env", "client", "server", "bin"},
    "aio.h": set(),
    "liburing.h": set(),
}
# Single files that need a header their room otherwise does without.
SYSTEM_FILES = {
    ("src/server/server.c", "time.h"),  # struct tm, to print the time of a log line; env tells it
}
# Headers that protoc-c writes, and the public client header.
GENERATED = {
    "protobuf/toydb.pb-c.h": {"client", "server"},
    "protobuf/raft.pb-c.h": {"server"},
    "toydb/toydb.h": {"client", "server", "bin"},
}
# The simulated machine implements env's own table of calls.
SIM_OPENS = ("replica", "mvcc", "raft", "wal", "server")
TEST_SUPPORT = {"support": "env"}
# Rooms whose tests are told together with the room's own.
TEST_ALSO = {"mvcc": {"txn"}}  # versions, and who may write them
TEST_KINDS = {"unit", "golden", "model", "fault", "fuzz", "sim", "isolation"}


def read_layers(path):
    layers = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            line = line.split("#")[0].strip()
            if line:
                room, _, below = line.partition(":")
                layers[room.strip()] = below.split()
    return layers


def room_of(directory, layers):
    """The room that a folder below src/ is or lies in, or None."""
    while directory:
        if directory in layers:
            return directory
        directory = os.path.dirname(directory)
    return None


def includes(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            match = INCLUDE.match(line)
            if match:
                yield number, match.group(1) == "<", match.group(2)


def is_public(room, header):
    return room == "base" or header == room.split("/")[-1] + ".h"


def check_header(file, room, header, layers):
    """What is wrong with `header` included by `file` of `room`, or None."""
    target = room_of(os.path.dirname(header), layers)
    if header in GENERATED:
        if room not in GENERATED[header]:
            return f"{header} is for {', '.join(sorted(GENERATED[header]))}"
        return None
    if target is None or target == room:
        return None
    if target not in layers[room]:
        return f"room {room} may not include {target} (src/LAYERS)"
    name = os.path.basename(header)
    if name.endswith("_int.h"):
        return f"{header} is internal to {target}"
    if not is_public(target, name):
        return f"{header} is not the public header of {target}"
    return None


def check_system(file, room, header):
    allowed = SYSTEM.get(header)
    if allowed is None or room in allowed or (file, header) in SYSTEM_FILES:
        return None
    where = ", ".join(sorted(allowed)) or "no room"
    return f"<{header}> is for {where} only"


def walk(root, folder):
    for directory, folders, files in os.walk(os.path.join(root, folder)):
        folders.sort()
        for name in sorted(files):
            if name.endswith((".c", ".h")):
                path = os.path.join(directory, name)
                yield path, os.path.relpath(path, root)


def check_sources(root, layers):
    for path, file in walk(root, "src"):
        room = room_of(os.path.dirname(os.path.relpath(file, "src")), layers)
        if room is None:
            yield file, 1, "this folder is in no line of src/LAYERS"
            continue
        for number, system, header in includes(path):
            if not system and "/" not in header:
                continue  # beside the file
            problem = check_header(file, room, header, layers)
            if problem is None and system:
                problem = check_system(file, room, header)
            if problem:
                yield file, number, problem


def check_tests(root, layers):
    for path, file in walk(root, "tests"):
        parts = file.split(os.sep)
        room = TEST_SUPPORT.get(parts[1])
        if len(parts) > 3 and parts[1] in TEST_KINDS:
            room = parts[2].replace("sql_", "sql/")
        for number, _, header in includes(path):
            target = room_of(os.path.dirname(header), layers)
            # The simulator's checkers look into what they judge; its SQL clients run the server's sessions.
            if parts[1] == "sim" and target in SIM_OPENS:
                continue
            own = target == room or target in TEST_ALSO.get(room, ())
            if target and not own and header.endswith("_int.h"):
                yield file, number, f"{header} is internal to {target}; only its own tests may open it"


def check_order(layers):
    """The law is one of direction: a line names only rooms that stand above it."""
    seen = set()
    for room, below in layers.items():
        for name in below:
            if name not in seen and not (room == "bin" and name in layers):
                yield "src/LAYERS", 1, f"{room} names {name}, which does not stand above it"
        seen.add(room)


def main(arguments):
    root = arguments[0] if arguments else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    layers = read_layers(os.path.join(root, "src", "LAYERS"))
    problems = list(check_order(layers))
    problems += check_sources(root, layers)
    problems += check_tests(root, layers)
    for file, number, problem in problems:
        print(f"{file}:{number}: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
