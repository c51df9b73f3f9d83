"""What is handed to a runner to make one attempt, and what it reports back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Protocol, TypeAlias

from msgspec import Struct, field

from engine.outcomes import Json, Outcome
from engine.plan import Output


class AttemptKey(Struct, frozen=True):
    """Names one attempt. `item` is the position in the fan-out, `None` for a task without one; `round` and `attempt`
    count from 1."""

    run_id: str
    task: str
    item: int | None
    round: int
    attempt: int


class AttemptFiles(Struct, frozen=True):
    """Where an attempt's files are. `work` exists when it starts; the others when somebody wrote them.

    Attributes:
        work: the run's directory (`FLOW_RUN_DIR`), shared by all tasks of the run.
        base: what the names of all files of this attempt begin with: a dot and what the file is follow it.
    """

    work: str
    base: str

    def own(self, what: str) -> str:
        """A file of this attempt: script, spilled value, stream kept for an output."""
        return f"{self.base}.{what}"

    @property
    def slots(self) -> str:
        """Where `FLOW_TMP` is, which the runner sets: one of the numbered folders in this one, its alone until it has ended."""
        return f"{self.work[: self.work.rindex('/')]}/tmp"  # noqa: S108 - a folder of the run

    @property
    def log(self) -> str:
        """Stdout and stderr as they came, secrets masked."""
        return f"{self.base}.log"

    @property
    def output(self) -> str:
        """The file behind `FLOW_OUTPUT`."""
        return f"{self.base}.output"

    @property
    def output_json(self) -> str:
        """The file behind `FLOW_OUTPUT_JSON`."""
        return f"{self.base}.output.json"

    @property
    def control(self) -> str:
        """The file behind `FLOW_CONTROL`."""
        return f"{self.base}.control"

    @property
    def progress(self) -> str:
        """The file behind `FLOW_PROGRESS`."""
        return f"{self.base}.progress"


class ScriptWork(Struct, frozen=True):
    """A script given to a shell: `sh` (`sh -eu`), `bash` (`bash -euo pipefail`), `python`, or an argv before the file."""

    script: str
    shell: str | tuple[str, ...] = "sh"
    success_codes: frozenset[int] = frozenset({0})


class CommandWork(Struct, frozen=True):
    """An argv without a shell. `argv[0]` is looked up on the attempt's own PATH."""

    argv: tuple[str, ...]
    success_codes: frozenset[int] = frozenset({0})


class CallWork(Struct, frozen=True):
    """A Python callable `package.module:function` and its keyword arguments; `root` is the folder imports start from."""

    target: str
    arguments: Mapping[str, Json]
    root: Path


class ConnectorWork(Struct, frozen=True):
    """An action of a connector: `type` names it (`http`, `file`, ...), `config` is its configured `with`."""

    type: str
    action: str
    config: Mapping[str, Json]
    arguments: Mapping[str, Json]
    root: Path


Work: TypeAlias = ScriptWork | CommandWork | CallWork | ConnectorWork


class Launch(Struct, frozen=True):
    """All a runner needs for one attempt; nothing in it is an expression any more.

    `env` is the whole environment. `secrets` are the texts to mask in everything written. `patterns` are looked for in
    the attempt's own output when it has failed, and reported in `Failure.matched` as they are written here. `token` is the
    fencing number of the engine's right to the run: of two engines that want the attempt, that with the higher has it.
    """

    key: AttemptKey
    work: Work
    files: AttemptFiles
    env: Mapping[str, str]
    workdir: str
    outputs: Mapping[str, Output] = field(default_factory=dict)
    output_limit_bytes: int = 1 << 20
    grace: timedelta = timedelta(seconds=10)
    secrets: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    token: int = 1


class AttemptEnded(Struct, frozen=True):
    """The attempt is over; nothing of it runs any more."""

    key: AttemptKey
    outcome: Outcome


class AttemptReady(Struct, frozen=True):
    """A service answered its `ready` probe."""

    key: AttemptKey


Report: TypeAlias = AttemptEnded | AttemptReady


class Runner(Protocol):
    """How attempts are executed. Every call is made from the loop's thread and returns at once."""

    def start(self, launch: Launch) -> None:
        """Begin the attempt. Never raises for what the flow's author did (no such program, no such folder): that is
        an `AttemptEnded` with a failure, reported like any other."""

    def stop(self, key: AttemptKey, *, grace: timedelta) -> None:
        """End the attempt: SIGTERM to its whole tree, `grace`, SIGKILL. A second call with a shorter grace hurries.
        Unknown keys are ignored: the attempt has ended already."""

    def recover(self, launches: Sequence[Launch], *, origin: str) -> None:
        """Take over attempts that another engine, now dead, had started; `origin` is what it called itself, as in
        `RunRow.owner`. Each is reported like any other, once: with its recorded end; or, when it still runs, with its end
        as if it had been started here, `stop` included; or as `Ending.LOST`, after what is left of it has been ended.

        Never raises for what that engine has left behind, nothing or nonsense included."""

    def leave(self) -> None:
        """Free all resources, and let what runs run on for an engine that recovers it. Repeatable; instead of `close`."""

    def close(self) -> None:
        """Kill whatever is left and free all resources. Repeatable."""


class Reactor(Protocol):
    """What the loop lends to runners: descriptors and timers watched in its own thread."""

    def watch(self, descriptor: int, ready: Callable[[], None]) -> None:
        """Call `ready` in the loop's thread whenever `descriptor` is readable."""

    def unwatch(self, descriptor: int) -> None:
        """Stop watching; unknown descriptors are ignored."""

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` once after `delay_s` monotonic seconds; the result cancels it."""

    def post(self, report: Report) -> None:
        """Hand a report to the loop; from any thread."""
