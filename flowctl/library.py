"""The Python interface: check, plan and run flows, and look at runs, without the command line.

`import flowctl` brings these names in when they are first used. Settings hold as they do for the command line in the
current folder: environment variables, the project's `flowctl.yaml`, the user's file.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from engine.errors import StoreUnavailable
from engine.outcomes import Json
from engine.states import RunState
from flowctl.following import abandoned_owners, is_abandoned
from flowctl.history import StoredPlans, events_of, existing_store, find_run
from flowctl.records import event_object, run_object, summary_object
from flowctl.results import RunResult, result_of
from flowctl.running import Request, prepare, require_secrets, run_in_foreground
from flowctl.settings import Settings, environment, load_settings
from flowctl.terminal.progress import SilentView
from flowctl.workspace import Workspace, warnings_of
from specs.diagnostics import Diagnostic

if TYPE_CHECKING:
    import networkx as nx

    from engine.forecast import Forecast
    from engine.graph import Vertex
    from engine.plan import Plan
    from engine.store.port import Store
    from engine.store.rows import RunRow
    from specs.check import Checked

JsonObject: TypeAlias = dict[str, Any]
"""An object as `docs/reference/json.md` describes it."""

PathLike: TypeAlias = "str | os.PathLike[str]"

PAGE = 200


def check(path: PathLike) -> list[Diagnostic]:
    """Everything `flowctl validate` finds in the flow at `path`, in the order of the file; empty if it is in order.

    A file that cannot be read is a finding (FLOW131), not an exception.
    """
    return list(_workspace(Path(path)).check(_named(path)).diagnostics)


def load(path: PathLike) -> Flow:
    """The flow at `path`, checked and ready to be planned and run.

    Raises:
        InvalidFlow: it has errors, which `diagnostics` holds, or asks for what this engine does not honour yet.
    """
    workspace = _workspace(Path(path))
    checked = workspace.check(_named(path))
    return Flow(Path(path), checked, workspace.compile_checked(checked))


@contextmanager
def open_store(path: PathLike | None = None) -> Iterator[StoreView]:
    """The runs that are stored, for the length of a `with`; `path` names another store than the one of the settings.

    Raises:
        StoreUnavailable: there is no store, which the first run makes, or it cannot be read.
    """
    environ = environment()
    flags = {} if path is None else {"store": os.fspath(path)}
    workspace = Workspace(load_settings(folder=Path.cwd(), environ=environ, flags=flags), environ)
    with existing_store(workspace) as store:
        if store is None:
            raise StoreUnavailable(f"there is no store at `{workspace.settings.store}`", hint="the first run makes one")
        yield StoreView(store, StoredPlans(workspace, store))


class Flow:
    """A checked flow; `load` makes one. It stays what it was when it was loaded, whatever happens to its file.

    Attributes:
        path: the file it was loaded from.
        name: the flow's name.
        description: what it says of itself, `None` if nothing.
        digest: SHA-256 of all files it is made of.
        warnings: findings that are no errors.
    """

    def __init__(self, path: Path, checked: Checked, plan: Plan) -> None:
        self.path = path
        self.name: str = plan.name
        self.description: str | None = plan.description
        self.digest: str = plan.digest
        self.warnings: tuple[Diagnostic, ...] = warnings_of(checked)
        self._checked = checked
        self._plan = plan

    def __repr__(self) -> str:
        return f"<Flow {self.name!r} from {str(self.path)!r}>"

    def plan(self, params: Mapping[str, Json] | None = None) -> Forecast:
        """What a run with these parameters would do. Required ones may be missing; the forecast says which.

        Raises:
            BadParameters: parameters are unknown or do not fit.
        """
        from flowctl.foreseeing import foresee

        return foresee(_workspace(self.path), self._checked, folder=Path.cwd(), texts={}, values=params or {})

    def graph(self) -> nx.DiGraph[Vertex]:
        """The flow as a graph of `networkx`, for questions of your own: a start and an end vertex for each task, edges
        from what comes first, with the kinds of edge that say so in their attribute `kinds`."""
        from engine.graph import plan_graph

        return plan_graph(self._plan)

    def run(
        self,
        params: Mapping[str, Json] | None = None,
        env: Mapping[str, str] | None = None,
        on_event: Callable[[JsonObject], None] | None = None,
    ) -> RunResult:
        """Run the flow here, wait for its end and return how it ended; a run that failed is a result, no exception.

        Args:
            params: values of parameters, of the declared types.
            env: variables for the tasks, beside those of the settings' `env_files`.
            on_event: is given each event, sub-flows' too, once it is stored, in the thread that runs the flow. If it
                raises, the run is cancelled and the error raised when the run has ended.

        In the main thread SIGINT and SIGTERM cancel the run, and are raised again when it has ended. In other threads
        signals are left alone.

        Raises:
            BadParameters: parameters are missing, unknown or do not fit.
            SecretUnavailable: a secret cannot be resolved; nothing was started.
            StoreError: the store cannot be used.
        """
        variables = _variables(self.path, env or {})
        workspace = _workspace(self.path, variables)
        submission = prepare(self._plan, Request(Path.cwd(), values=params or {}, env=variables), workspace.environ)
        require_secrets(self._plan, workspace.environ)
        with workspace.store(create=True) as store:
            finished = run_in_foreground(
                workspace,
                store,
                submission,
                view=SilentView(),
                on_event=None if on_event is None else (lambda row: on_event(event_object(row))),
            )
        if finished.signal is not None:
            signal.raise_signal(finished.signal)
        return result_of(self._plan, finished.run)


class StoreView:
    """Looks at the runs in a store; `open_store` makes one. Runs are named by id, by an end or a start of it of at
    least 4 characters, or as `latest`. Values that a flow declares as sensitive are `***`."""

    def __init__(self, store: Store, plans: StoredPlans) -> None:
        self._store = store
        self._plans = plans

    def runs(
        self,
        flow: str | None = None,
        states: Sequence[str] | None = None,
        since: datetime | None = None,
        children: bool = False,
    ) -> Iterator[JsonObject]:
        """Runs, the newest first, read as they are asked for: those of one flow, in some states, made since an aware
        instant; with `children` those of sub-flows, too."""
        from engine.store.rows import RunFilter

        where = RunFilter(
            flow=flow, states=None if states is None else tuple(states), since=since, top_level_only=not children
        )
        cursor = None
        while True:
            page = self._store.runs(where, limit=PAGE, cursor=cursor)
            for row in page.items:
                yield run_object(row, sensitive=self._plans.sensitive(row), is_interrupted=self._is_interrupted(row))
            cursor = page.next
            if cursor is None:
                return

    def run(self, run_id: str) -> JsonObject:
        """A run with its tasks, as `flowctl show --json` prints it. Raises `RunNotFound`."""
        row = find_run(self._store, run_id)
        return summary_object(
            self._store, row, sensitive=self._plans.sensitive(row), is_interrupted=self._is_interrupted(row)
        )

    def events(self, run_id: str) -> Iterator[JsonObject]:
        """Everything that has happened to a run, in order. Raises `RunNotFound`."""
        row = find_run(self._store, run_id)
        return (event_object(self._plans.shown(event, row)) for event in events_of(self._store, row.id))

    def _is_interrupted(self, row: RunRow) -> bool:
        """Whether nobody drives a run that has not ended; of one that has, nobody is asked."""
        return not RunState(row.state).is_final and is_abandoned(row, abandoned_owners(self._store))


# --- steps --------------------------------------------------------------------------------------------------------------


def _workspace(flow: Path, variables: Mapping[str, str] | None = None) -> Workspace:
    environ = environment()
    return Workspace(_settings(flow), {**(variables or {}), **environ})


def _settings(flow: Path) -> Settings:
    return load_settings(folder=Path.cwd(), environ=environment(), flags={}, named=flow)


def _named(path: PathLike) -> str:
    """The path as the workspace takes it: never a bare name, never `-` for stdin."""
    text = os.fspath(path)
    return text if "/" in text else f"./{text}"


def _variables(flow: Path, env: Mapping[str, str]) -> Mapping[str, str]:
    from flowctl.cli.params import given_environment

    environ = environment()
    files = _settings(flow).env_files
    return given_environment([f"{name}={value}" for name, value in env.items()], files=files, environ=environ)
