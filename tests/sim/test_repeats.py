"""A run is a function of its seed: processes with different surroundings do the same, byte for byte.

usage: test_repeats.py SIM FIRST_SEED SEEDS
"""

import os
import subprocess
import sys


def run(command, environment):
    try:
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, text=True, check=False)
    except OSError as error:
        return 127, str(error)
    return done.returncode, done.stdout


def main():
    sim, seed, seeds = sys.argv[1:4]
    command = [sim, '--seed', seed, '--seeds', seeds, '--hash']
    bare = {'PATH': os.environ.get('PATH', '')}
    for name in ('ASAN_OPTIONS', 'UBSAN_OPTIONS', 'TSAN_OPTIONS'):
        if name in os.environ:
            bare[name] = os.environ[name]
    full = dict(bare, TZ='Pacific/Auckland', LC_ALL='C.UTF-8', HOME='/nonexistent',
                TOYDB_NOISE='x' * 5000, MALLOC_PERTURB_='165')
    # One without randomized addresses, where that can be had: the others have others each.
    plain = ['setarch', '--addr-no-randomize']
    if run(plain + ['true'], bare)[0] != 0:
        plain = []
    first = run(command, bare)
    for name, other in (('another environment', run(command, full)),
                        ('fixed addresses', run(plain + command, bare)),
                        ('two processes', run(command + ['--jobs', '2'], bare))):
        same = sorted(first[1].splitlines()) == sorted(other[1].splitlines())
        if first[0] != 0 or other[0] != 0 or not same:
            print(f'{name}: not the same')
            print(first[1])
            print(other[1])
            return 1
    print(first[1], end='')
    return 0


sys.exit(main())
