"""Fuzz target of the loader and all checks: any bytes end in a result, never in an exception.

    python -m tests.specs.fuzz_loader [seconds]

With atheris installed its coverage leads the search; without it, mutations of the golden files do.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

from specs.check import check_text

SEEDS = sorted((Path(__file__).parent / "golden").glob("*.yaml"))
PIECES = (
    b"{",
    b"[",
    b"- ",
    b": ",
    b"&a ",
    b"*a",
    b"!t ",
    b"|\n",
    b">2\n",
    b"\t",
    b"\0",
    b'"',
    b"'",
    b"${{",
    b"<<: ",
    b"\xff",
)


def one_input(data: bytes) -> None:
    """Check `data` as a flow; raises if anything but a result comes of it."""
    checked = check_text(data, "fuzz.yaml", None)
    broken = [found.message for found in checked.diagnostics if found.code == "FLOW901"]
    if broken:
        raise AssertionError(broken[0])


def mutated(random_source: random.Random) -> bytes:
    """A golden file with a few bytes or pieces changed, put in or taken out."""
    data = bytearray(random_source.choice(SEEDS).read_bytes())
    for _ in range(random_source.randint(1, 8)):
        at = random_source.randrange(len(data) + 1)
        kind = random_source.randrange(4)
        if kind == 0:
            data[at:at] = random_source.choice(PIECES)
        elif kind == 1:
            del data[at : at + random_source.randint(1, 8)]
        elif kind == 2:
            data[at : at + 1] = bytes([random_source.randrange(256)])
        else:
            start = random_source.randrange(len(data) + 1)
            data[at:at] = data[start : start + random_source.randint(1, 40)]
    return bytes(data)


def main(seconds: float) -> None:
    """Run for a while; the input that fails is printed with the exception."""
    random_source = random.Random(0)
    end = time.monotonic() + seconds
    count = 0
    while time.monotonic() < end:
        data = mutated(random_source)
        count += 1
        try:
            one_input(data)
        except Exception:
            sys.stderr.write(f"input {count}: {data!r}\n")
            raise
    sys.stderr.write(f"{count} inputs\n")


if __name__ == "__main__":
    try:
        import atheris  # type: ignore[import-untyped]  # optional, not among our dependencies
    except ImportError:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
    else:
        atheris.Setup(sys.argv, one_input)
        atheris.Fuzz()
