"""An engine that is there to be killed: starts launches, or takes them over, and says what is reported to it.

doomed.py FOLDER/FILE      a pickle of (journals, launches, origin or None)
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING

from engine.attempts import AttemptEnded, Launch
from engine.identity import own_identity
from engine.reactor import SelectorReactor
from engine.runners.local import LocalRunner

if TYPE_CHECKING:
    from tests.engine.runners.bench import Bench


class Doomed:
    """The process of such an engine, seen from a test."""

    def __init__(self, bench: Bench, launches: Sequence[Launch], *, origin: str | None = None) -> None:
        self.process = Popen(command(bench, *launches, origin=origin), stdout=PIPE, text=True, cwd=ROOT)
        self.owner = self.line()

    def line(self) -> str:
        """What it says next."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def kill(self) -> None:
        """Kill it as nothing can be killed harder."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


ROOT = Path(__file__).parents[3]


def command(bench: Bench, *launches: Launch, origin: str | None = None) -> tuple[str, ...]:
    """How such an engine is started."""
    order = bench.folder / f"order-{len(list(bench.folder.glob('order-*')))}"
    order.write_bytes(pickle.dumps((str(bench.journals), launches, origin)))
    return (sys.executable, "-m", "tests.engine.runners.doomed", str(order))


@contextmanager
def doomed(bench: Bench, *launches: Launch, origin: str | None = None) -> Iterator[Doomed]:
    """Such an engine, which ends with the block at the latest."""
    engine = Doomed(bench, launches, origin=origin)
    try:
        yield engine
    finally:
        if engine.process.returncode is None:
            engine.kill()


def main() -> None:
    journals, launches, origin = pickle.loads(Path(sys.argv[1]).read_bytes())
    reactor, owner = SelectorReactor(), own_identity()
    runner = LocalRunner(reactor, journals=journals, owner=owner)
    _say(owner)
    if origin is not None:
        runner.recover(launches, origin=origin)
    else:
        for launch in launches:
            runner.start(launch)
    while True:
        for report in reactor.wait(None):
            if isinstance(report, AttemptEnded):
                _say(f"{report.key.task} {report.outcome.ending}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
