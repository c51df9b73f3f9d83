"""Runs that are stored: found by what a person types, and made again from what is kept of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from engine.compiling.digest import digest_of
from engine.errors import FlowctlError, InvalidFlow, RunNotFound
from flowctl.redaction import sensitive_parameters, without_sensitive
from flowctl.workspace import Workspace
from specs.files import FileProblem
from specs.suggest import listed

if TYPE_CHECKING:
    from engine.operations.replaying import Replay
    from engine.plan import Plan
    from engine.run import Run
    from engine.store.port import Store
    from engine.store.reading import StoredRows
    from engine.store.rows import EventRow, RunRow

LATEST = "latest"
"""What stands for the newest run."""

BATCH = 1000
"""Events read at a time, so that a long log does not fill the memory."""

_CANDIDATES = 10
_SHORTEST = 4


Moment: TypeAlias = int | datetime
"""The number of an event, or an instant."""


class PlanLost(FlowctlError):
    """The flow of a stored run cannot be compiled any more: it was stored by another flowctl, or a connector is gone."""

    code = "plan_lost"


@contextmanager
def existing_store(workspace: Workspace) -> Iterator[Store | None]:
    """The store, or `None` where no run has made one yet; looking never makes one."""
    from engine.clock import SystemClock
    from engine.store.opening import find_store

    store = find_store(workspace.settings.store, now=SystemClock().now())
    try:
        yield store
    finally:
        if store is not None:
            store.close()


@contextmanager
def store_with_runs(workspace: Workspace) -> Iterator[Store]:
    """The store, for a command that is about one run. Raises `RunNotFound` where there is none yet."""
    with existing_store(workspace) as store:
        if store is None:
            raise _no_runs()
        yield store


def find_run(store: Store, text: str) -> RunRow:
    """The run that `text` names: a whole id, the end or start of one, or `latest`.

    Raises:
        RunNotFound: no run matches, or several do.
    """
    found = _find(store, text)
    row = store.run(found)
    if row is None:  # removed in between
        raise RunNotFound(f"there is no run `{text}`")
    return row


def _find(store: Store, text: str) -> str:
    if text == LATEST:
        newest = store.latest()
        if newest is None:
            raise _no_runs()
        return newest
    ids = store.resolve(text, limit=_CANDIDATES) or store.resolve(text.lower(), limit=_CANDIDATES)
    if len(ids) == 1:
        return ids[0]
    if ids:
        more = " or more" if len(ids) == _CANDIDATES else ""
        raise RunNotFound(f"`{text}` may be any of {len(ids)}{more} runs", hint=f"give more of the id: {listed(ids)}")
    if len(text) < _SHORTEST:
        hint = f"give at least {_SHORTEST} characters of its start or end, or `{LATEST}`"
        raise RunNotFound(f"`{text}` is too short for a part of a run's id", hint=hint)
    raise RunNotFound(f"there is no run `{text}`", hint=f"`flowctl runs` lists them; `{LATEST}` is the newest")


def _no_runs() -> RunNotFound:
    return RunNotFound("there are no runs yet", hint="`flowctl run FLOW` makes one")


def events_of(store: Store | StoredRows, run_id: str, *, after: int = 0) -> Iterator[EventRow]:
    """The log of a run from `after` on, read batch by batch."""
    while True:
        rows = store.events(run_id, after=after, limit=BATCH)
        yield from rows
        if len(rows) < BATCH:
            return
        after = rows[-1].seq


class StoredPlans:
    """Plans of stored runs, made again from the files kept with them; each is made once."""

    def __init__(self, workspace: Workspace, store: Store | StoredRows) -> None:
        self._workspace = workspace
        self._store = store
        self._files: dict[str, Mapping[str, str]] = {}
        self._plans: dict[tuple[str, str | None], Plan | PlanLost] = {}
        self._secretive: dict[str, bool] = {}

    def plan(self, digest: str, *, base: str | None = None) -> Plan:
        """The plan whose files have this digest; their names start from `base`, or from here. Raises `PlanLost`."""
        if (digest, base) not in self._plans:
            self._plans[digest, base] = self._rebuild(digest, base)
        found = self._plans[digest, base]
        if isinstance(found, PlanLost):
            raise found
        return found

    def fold(self, run: RunRow) -> Run:
        """The run as its events have made it. Raises `PlanLost`, also for events that this flowctl does not know."""
        from engine.events import decode
        from engine.evolve import fold
        from engine.states import IllegalTransition

        plan = self.plan(run.digest)
        rows = events_of(self._store, run.id)
        try:
            return fold(plan, run.id, (decode(row.type, row.at, row.task, row.item, row.data) for row in rows))
        except (IllegalTransition, LookupError, TypeError, ValueError) as error:
            raise PlanLost(f"the events of run `{run.id}` were not written by this flowctl") from error

    def past(self, run: RunRow, moment: Moment) -> Replay:
        """The run as it was after the event of that number, or at that instant.

        Raises:
            PlanLost: its events cannot be folded.
            RunNotFound: at that instant there was no such run, or the log has no such event.
        """
        from engine.operations.replaying import BrokenLog, Replay

        replay = Replay(self.plan(run.digest), run.id)
        try:
            for row in events_of(self._store, run.id):
                if row.at > moment if isinstance(moment, datetime) else row.seq > moment:
                    break
                replay.follow(row)
        except BrokenLog as broken:
            raise PlanLost(
                f"the events of run `{run.id}` cannot be folded", hint=f"`flowctl replay {run.id}` tells where"
            ) from broken
        if replay.row is None:
            raise RunNotFound(
                f"run `{run.id}` was not there yet", hint=f"it was submitted at {run.created_at.isoformat()}"
            )
        if isinstance(moment, int) and replay.run.seq < moment:
            raise RunNotFound(f"run `{run.id}` has no event {moment}", hint=f"the last one is {replay.run.seq}")
        return replay

    def sensitive(self, run: RunRow) -> frozenset[str]:
        """Names of the run's sensitive parameters; none where its plan is lost."""
        plan = self._secretive_plan(run.digest) if run.params else None
        return frozenset() if plan is None else sensitive_parameters(plan)

    def shown(self, row: EventRow, run: RunRow) -> EventRow:
        """The event as it may be shown: sensitive values hidden, as far as the run's plan is known."""
        plan = self._secretive_plan(run.digest)
        return row if plan is None else without_sensitive(row, plan)

    def may_hide(self, digest: str) -> bool:
        """Whether a flow may declare something as sensitive; most do not, and a long one takes a second to compile.
        Only an escape could hide the word in YAML, so a backslash counts as doubt."""
        if digest not in self._secretive:
            texts = self._texts(digest).values()
            self._secretive[digest] = any("sensitive" in text or "\\" in text for text in texts)
        return self._secretive[digest]

    def _secretive_plan(self, digest: str) -> Plan | None:
        """The plan, if it can be had and may declare something as sensitive."""
        try:
            return self.plan(digest) if self.may_hide(digest) else None
        except PlanLost:
            return None

    def _texts(self, digest: str) -> Mapping[str, str]:
        if digest not in self._files:
            spec = self._store.spec(digest)
            self._files[digest] = {} if spec is None else spec.files
        return self._files[digest]

    def _rebuild(self, digest: str, base: str | None) -> Plan | PlanLost:
        files = self._texts(digest)
        if not files:
            return PlanLost(f"the files of the flow with digest `{digest[:12]}` are not in the store")
        try:
            return self.plan_of(files, base=base)
        except PlanLost as lost:
            return lost

    def plan_of(self, files: Mapping[str, str], *, base: str | None = None) -> Plan:
        """The plan of files kept with a run, of which the first is the flow's own. Raises `PlanLost`."""
        from specs.policy import ANSWERED

        own, start = next(iter(files), ""), Path(base) if base else Path.cwd()
        version = digest_of(files)
        try:
            return self._workspace.compile_files(
                own, StoredFiles(files), policy=ANSWERED, base=start, version=version
            ).plan
        except InvalidFlow as error:
            raise PlanLost(
                f"`{own}` as it was then is not a valid flow for this flowctl",
                hint="`flowctl show` needs no more than what is stored",
            ) from error


class StoredFiles:
    """The files kept with a run, as a check reads them. Names start from the project's root, which is `.` here."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files

    def read(self, path: str) -> bytes:
        """The text as it was stored; raises `FileProblem`."""
        text = self._files.get(path)
        if text is None:
            raise FileProblem("it was not stored with the run")
        return text.encode()

    def root_of(self, path: str) -> str:  # noqa: ARG002 - the protocol's signature
        """The root of the project."""
        return "."

    def siblings(self, path: str) -> list[str]:
        """Names of the files stored from the folder of `path`, sorted."""
        folder = path.rpartition("/")[0]
        return sorted(name.rpartition("/")[2] for name in self._files if name.rpartition("/")[0] == folder)
