"""Where a command works: settings made into parts. Finds and checks flows, opens the store, builds the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import InvalidFlow
from flowctl.files import ProjectFiles
from flowctl.problems import UsageProblem
from flowctl.reading import Unreadable, read_stream
from flowctl.settings import Settings
from specs.diagnostics import Diagnostic, Severity

if TYPE_CHECKING:
    from engine.connectors.catalogue import InstalledCatalogue
    from engine.loop import Engine, Observer
    from engine.plan import Plan
    from engine.reactor import SelectorReactor
    from engine.run_files import RunFiles
    from engine.store.port import Store
    from flowctl.plan_cache.plans import Compiled
    from specs.check import Checked
    from specs.files import Files
    from specs.policy import Policy
    from specs.source import Limits

STDIN = "-"
STDIN_NAME = "stdin.yaml"
_SUFFIXES = (".yaml", ".yml")


def warnings_of(checked: Checked) -> tuple[Diagnostic, ...]:
    """What was found in a flow that whoever runs it is told of."""
    return tuple(finding for finding in checked.diagnostics if finding.severity is Severity.WARNING)


def _ignore(_text: str) -> None:
    """Tell nobody."""


class Workspace:
    """Everything a command needs of its surroundings, made when it is asked for."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self.settings = settings
        self.environ = environ

    # --- flows ----------------------------------------------------------------------------------------------------------

    @property
    def catalogue(self) -> InstalledCatalogue:
        """The connectors there are."""
        from engine.connectors.catalogue import InstalledCatalogue

        return InstalledCatalogue(self.settings.connectors)

    @property
    def limits(self) -> Limits:
        """What one file of a flow may cost."""
        from specs.source import Limits

        most = self.settings.limits
        return Limits(file_bytes=most.file_bytes, nodes=most.nodes, depth=most.depth)

    def check(self, flow: str) -> Checked:
        """Check a flow given by path, by `-` for stdin, or by its file's name in the project's `flows` folder."""
        from specs.check import check_file, check_text

        policy = self.settings.checks.for_runs()
        if flow == STDIN:
            files = ProjectFiles((), most=self.limits.file_bytes)
            return check_text(
                self._stdin(), STDIN_NAME, files, catalogue=self.catalogue, limits=self.limits, policy=policy
            )
        path = self.locate(flow)
        files = ProjectFiles((path,), most=self.limits.file_bytes)
        return check_file(path.as_posix(), files, catalogue=self.catalogue, limits=self.limits, policy=policy)

    def compile(self, flow: str) -> Compiled:
        """The plan of a flow that this engine honours in full, with the warnings about it.

        Compiled once: as long as nothing changes that the plan was made of, it is taken from the user's cache.

        Raises:
            InvalidFlow: it has errors, or uses what this engine does not honour yet.
        """
        policy = self.settings.checks.for_runs()
        if flow == STDIN:
            from flowctl.plan_cache.plans import Compiled

            checked = self.check(flow)
            return Compiled(self.compile_checked(checked), warnings_of(checked))
        path = self.locate(flow)
        files = ProjectFiles((path,), most=self.settings.limits.file_bytes)
        return self.compile_files(path.as_posix(), files, policy=policy, base=Path.cwd())

    def compile_files(self, path: str, files: Files, *, policy: Policy, base: Path, version: str = "") -> Compiled:
        """The same for a flow among `files`, whose names start from `base`. Flows that differ in nothing but their texts
        take each other's place in the cache, unless their `version` differs."""
        from flowctl.plan_cache.plans import Compiled, Conditions, PlanCache

        most = self.settings.limits
        told = Conditions(path, str(base), most, policy, self.settings.connectors, version)
        cache = PlanCache(self.settings.folders.cache / "plans") if self.settings.cache else None
        found = cache.find(told, files) if cache is not None else None
        if found is not None:
            return found
        from engine.connectors.catalogue import InstalledCatalogue
        from flowctl.plan_cache.trace import TracedFiles
        from specs.check import check_file

        traced = TracedFiles(files, base)
        catalogue = InstalledCatalogue(self.settings.connectors, traced.plugins)
        checked = check_file(path, traced, catalogue=catalogue, limits=self.limits, policy=policy)
        compiled = Compiled(self.compile_checked(checked, base=base), warnings_of(checked))
        if cache is not None:
            cache.keep(told, compiled, traced, root=checked.root)
        return compiled

    def compile_checked(self, checked: Checked, *, base: Path | None = None) -> Plan:
        """The plan of a flow that has been checked, whose files' names start from `base` or from here; raises
        `InvalidFlow` as `compile` does."""
        from engine.compile import compile_flow
        from specs.rules.honoured import blocking

        if not checked.ok or checked.context is None:
            raise InvalidFlow(checked.name, checked.diagnostics)
        refused = blocking(checked.context)
        if refused:
            raise InvalidFlow(checked.name, refused)
        return compile_flow(checked, base=base or Path.cwd())

    def locate(self, flow: str) -> Path:
        """The file of a flow: the path itself, or `flows/NAME.yaml` of the project for a bare name."""
        path = Path(flow)
        if "/" in flow or path.suffix in _SUFFIXES or path.exists():
            return path
        project = self.settings.project
        candidates = [
            folder / f"{flow}{suffix}"
            for root in dict.fromkeys((project, Path()) if project is not None else (Path(),))
            for folder in (root / "flows", root / ".flowctl")
            for suffix in _SUFFIXES
        ]
        found = next((candidate for candidate in candidates if candidate.is_file()), None)
        if found is None:
            raise UsageProblem(
                f"there is no flow `{flow}` here", hint="give the path of its file, or a name in `flows/`"
            )
        return found

    def _stdin(self) -> bytes:
        try:
            return read_stream(0, most=self.limits.file_bytes)
        except Unreadable as error:
            raise UsageProblem(f"cannot read stdin: {error}") from error

    # --- runs -----------------------------------------------------------------------------------------------------------

    @property
    def run_files(self) -> RunFiles:
        """The files of runs, in a folder beside the store; those of stores in databases are in one of their own."""
        from engine.run_files import RunFiles

        store = self.settings.store
        return RunFiles(
            (store if isinstance(store, Path) else self.settings.folders.data / "postgresql").with_suffix(".runs")
        )

    @contextmanager
    def store(self, *, create: bool) -> Iterator[Store]:
        """The store, closed at the end."""
        from engine.clock import SystemClock
        from engine.store.opening import open_store

        store = open_store(self.settings.store, create=create, now=SystemClock().now())
        try:
            yield store
        finally:
            store.close()

    @contextmanager
    def engine(
        self,
        store: Store,
        observers: Sequence[Observer] = (),
        *,
        takes_over: bool = False,
        tell: Callable[[str], None] = _ignore,
    ) -> Iterator[tuple[Engine, SelectorReactor]]:
        """An engine on `store` with the local runner; with `takes_over` it looks by itself for runs that nobody drives, as
        far as the settings let it. It waits for a store that is away, and `tell` is given a line about that. At the end,
        runs that have not ended are left to the next engine with what runs of them; so they are
        when the store fails; after another error, whatever still runs is killed."""
        from flowctl.engines import engine_in

        with engine_in(self, store, observers, takes_over=takes_over, tell=tell) as found:
            yield found
