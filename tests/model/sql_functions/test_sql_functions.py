"""Digests, checksums, powers and logarithms against Python's.

usage: test_sql_functions.py SQL_PIPE
"""
import decimal
import hashlib
import random
import subprocess
import sys
import zlib

decimal.getcontext().prec = 60
RANDOM = random.Random(20240229)


class Pipe:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def values(self, expressions):
        self.process.stdin.write(f"SELECT {', '.join(expressions)}\n".encode())
        self.process.stdin.flush()
        answer = []
        while (line := self.process.stdout.readline().decode().rstrip("\n")) != ".":
            answer.append(line)
        return answer[1].split(" | ") if len(answer) == 3 else answer


def digests():
    """Every size about the borders of blocks, and long ones."""
    for size in [*range(0, 260), 1000, 5000]:
        data = RANDOM.randbytes(size)
        text = f"'\\x{data.hex()}'::bytea"
        yield f"sha256({text})", "\\x" + hashlib.sha256(data).hexdigest()
        yield f"sha512({text})", "\\x" + hashlib.sha512(data).hexdigest()
        if size % 7 == 0:
            yield f"sha224({text})", "\\x" + hashlib.sha224(data).hexdigest()
            yield f"sha384({text})", "\\x" + hashlib.sha384(data).hexdigest()
            yield f"md5({text})", hashlib.md5(data).hexdigest()
            yield f"crc32({text})", str(zlib.crc32(data))


def number(digits, scale):
    return decimal.Decimal(RANDOM.randrange(1, 10 ** RANDOM.randrange(1, digits))).scaleb(
        -RANDOM.randrange(scale))


def exact():
    """What must hold to the last digit that is shown, but for one in that digit."""
    for _ in range(400):
        x = number(30, 20)
        yield f"ln({x:f}::numeric)", x.ln()
        yield f"log({x:f}::numeric)", x.log10()
        small = number(6, 6) % 60 * RANDOM.choice([1, -1])
        yield f"exp({small:f}::numeric)", small.exp()
        base = number(5, 5) % 100 + decimal.Decimal("0.01")
        power = number(4, 4) % 12 * RANDOM.choice([1, -1])
        yield f"power({base:f}::numeric, {power:f}::numeric)", base ** power
        whole = RANDOM.randrange(-12, 13)
        yield f"power({base:f}::numeric, {whole}::numeric)", base ** whole


def close(got, wanted):
    if "." not in got and not got.lstrip("-").isdigit():
        return False
    value = decimal.Decimal(got)
    return abs(value - wanted) <= decimal.Decimal(1).scaleb(value.as_tuple().exponent)


def check(pipe, cases, same):
    bad = 0
    cases = list(cases)
    for at in range(0, len(cases), 20):
        part = cases[at:at + 20]
        answer = pipe.values([expression for expression, _ in part])
        answer += [""] * (len(part) - len(answer))
        for (expression, wanted), got in zip(part, answer):
            if not same(got, wanted):
                bad += 1
                print(f"# {expression[:100]}: {got}, wanted {wanted}")
    return bad


def main():
    pipe = Pipe(sys.argv[1])
    bad = check(pipe, digests(), lambda got, wanted: got == wanted)
    print(f"1..2\n{'ok' if bad == 0 else 'not ok'} 1 - digests")
    bad_numbers = check(pipe, exact(), close)
    print(f"{'ok' if bad_numbers == 0 else 'not ok'} 2 - powers and logarithms")
    pipe.process.stdin.close()
    return 0 if pipe.process.wait() == 0 and bad + bad_numbers == 0 else 1


sys.exit(main())
