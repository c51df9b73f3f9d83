"""Checking many flows: each file by itself, and then the files of each project side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from flowctl.files import Discovery, ProjectFiles
from flowctl.reading import absolute
from specs.check import Begun, Checked, FileProblem, begin_file, check_text
from specs.diagnostics import Diagnostic, Severity, Source
from specs.facts import FlowFacts, facts_of
from specs.files import inside
from specs.policy import Policy
from specs.project import Project, check_project
from specs.verdict import project_verdict

if TYPE_CHECKING:
    from specs.context import Catalogue, FlowContext, Rule
    from specs.source import Limits

UNREADABLE = "FLOW131"
MOST_AT_ONCE = 100
MOST_CHARACTERS_AT_ONCE = 1 << 18
"""How much is read before it is checked: enough that a tool is started seldom, little enough that memory stays small."""

_Key = tuple[str, int, int, str, str]


class CheckOptions(Struct, frozen=True):
    """What a check is told besides the files.

    Attributes:
        catalogue: installed connectors.
        limits: what one file may cost.
        policy: what findings weigh.
        now: the instant of the check.
        more_rules: rules besides those of the language.
        prepare: told of flows before rules look at them, many at a time.
    """

    catalogue: Catalogue
    limits: Limits
    policy: Policy
    now: datetime | None = None
    more_rules: tuple[Rule, ...] = ()
    prepare: Callable[[Sequence[FlowContext]], None] | None = None


class Findings(Struct):
    """What came of all files: each finding once (those of a library come with each flow that includes it)."""

    found: dict[_Key, Diagnostic] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)
    unreadable: int = 0

    def add(self, file: str, checked: Sequence[Diagnostic]) -> list[Diagnostic]:
        """Take in the findings of a file, and return those that are new."""
        self.files.add(file)
        new = {_key(finding): finding for finding in checked if _key(finding) not in self.found}
        self.unreadable += any(finding.code == UNREADABLE for finding in new.values())
        self.found.update(new)
        return list(new.values())

    def has(self, severities: frozenset[Severity]) -> bool:
        """Whether any finding has one of the severities."""
        return any(finding.severity in severities for finding in self.found.values())


def check_files(found: Discovery, options: CheckOptions) -> Iterator[tuple[str, tuple[Diagnostic, ...]]]:
    """Files with what was found in them, a few files at a time, so that a long check shows its first findings soon.

    What is found between files comes last, with the file it is in.
    """
    files = ProjectFiles(found.named, found=found.files, most=options.limits.file_bytes)
    projects: dict[str, _ProjectCheck] = {}
    for begun in _begun(found.files, files, options):
        checked = begun.finish()
        projects.setdefault(checked.root, _ProjectCheck(checked.root)).take(checked)
        yield checked.name, checked.diagnostics
    for project in projects.values():
        for finding in project.findings(found, files, options.policy):
            yield finding.place.source.name, (finding,)


def check_stream(data: bytes, name: str, options: CheckOptions) -> Iterator[tuple[str, tuple[Diagnostic, ...]]]:
    """The same for one text that stands where the user does and is called `name`."""
    files = ProjectFiles((), most=options.limits.file_bytes)
    checked = check_text(
        data,
        name,
        files,
        catalogue=options.catalogue,
        limits=options.limits,
        policy=options.policy,
        now=options.now,
        more_rules=options.more_rules,
    )
    yield name, checked.diagnostics
    alone = _ProjectCheck(checked.root)
    alone.take(checked)
    yield name, alone.findings(Discovery(()), files, options.policy)


def _begun(paths: Sequence[Path], files: ProjectFiles, options: CheckOptions) -> Iterator[Begun]:
    """Files that are ready for rules, in their order."""
    waiting: deque[Begun] = deque()
    size = 0
    for path in paths:
        begun = begin_file(
            path.as_posix(),
            files,
            catalogue=options.catalogue,
            limits=options.limits,
            policy=options.policy,
            now=options.now,
            more_rules=options.more_rules,
        )
        waiting.append(begun)
        size += begun.size
        if len(waiting) >= MOST_AT_ONCE or size >= MOST_CHARACTERS_AT_ONCE:
            yield from _prepared(waiting, options)
            size = 0
    yield from _prepared(waiting, options)


def _prepared(waiting: deque[Begun], options: CheckOptions) -> Iterator[Begun]:
    if options.prepare is not None:
        options.prepare([context for begun in waiting for context in begun.contexts])
    while waiting:
        yield waiting.popleft()  # what was checked is not kept


class _ProjectCheck(Struct):
    """The flows of one project, as far as their check has come.

    Attributes:
        included: absolute paths of all files that the flows were made of.
        is_complete: whether every file could be read.
    """

    root: str
    flows: list[FlowFacts] = field(default_factory=list)
    included: set[Path] = field(default_factory=set)
    is_complete: bool = True

    def take(self, checked: Checked) -> None:
        self.included.update(absolute(Path(inside(self.root, name))) for name in checked.files)
        if checked.context is None:
            self.is_complete = False
        else:
            self.flows.append(facts_of(checked.context))

    def findings(self, found: Discovery, files: ProjectFiles, policy: Policy) -> tuple[Diagnostic, ...]:
        is_whole = found.is_whole and self.is_complete
        unused = tuple(self._unused(found.libraries, files)) if is_whole else ()
        project = Project(tuple(self.flows), is_whole=is_whole, unused=unused)
        sources = [flow.source for flow in self.flows] if is_whole else []
        return project_verdict(check_project(project), sources=sources, policy=policy, root=self.root)

    def _unused(self, libraries: Sequence[Path], files: ProjectFiles) -> Iterator[Source]:
        for path in libraries:
            if absolute(path) in self.included or files.root_of(path.as_posix()) != self.root:
                continue
            try:
                text = files.read(path.as_posix()).decode(errors="replace")
            except FileProblem:  # it went away between two looks; nothing is to be said of it
                continue
            yield Source(path.as_posix(), text)


def _key(finding: Diagnostic) -> _Key:
    place = finding.place
    return place.source.name, place.start, place.end, finding.code, finding.message
