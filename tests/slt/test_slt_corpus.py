"""Scripts in the manner of the public corpus, with SQLite's answers, through the runner of scripts."""
import argparse
import os
import subprocess
import sys
import tempfile

try:
    import corpus
except ImportError:
    print("1..0 # SKIP python has no sqlite3")
    sys.exit(0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--records", type=int, default=150)
    options = parser.parse_args()
    passed = failed = 0
    for kind in corpus.SMALL + list(corpus.KINDS):
        with tempfile.TemporaryDirectory() as scratch:
            paths = []
            for seed in range(options.seed, options.seed + options.seeds):
                paths.append(os.path.join(scratch, f"{kind}-{seed}.test"))
                corpus.write(kind, seed, paths[-1], options.records)
            run = subprocess.run([options.program, *paths], stdout=subprocess.PIPE, text=True, check=False)
        lines = run.stdout.splitlines()
        print("\n".join(f"# {line}" for line in lines[:-1] if " 0 failed" not in line))
        good = run.returncode == 0
        passed, failed = passed + good, failed + (not good)
        print(f"{'ok' if good else 'not ok'} {passed + failed} - {kind}: {lines[-1] if lines else 'it ended'}", flush=True)
    print(f"1..{passed + failed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
