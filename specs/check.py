"""The driver of all checks: a file in, its typed flow and everything that was found out, sub-flows included."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct, field

from specs.codes import CODES
from specs.collection import without_collection
from specs.context import Catalogue, FlowContext, Rule
from specs.diagnostics import Diagnostic, Place, Severity, Source, has_errors
from specs.files import FileProblem, Files, beside, inside, path_problem, relative_to, stem
from specs.includes import Libraries, load_libraries
from specs.model import FlowSpec
from specs.nesting import Nesting
from specs.policy import AS_WRITTEN, Policy
from specs.rules import all_rules
from specs.scalars import shortened
from specs.source import DEFAULT_LIMITS, Limits, Reading, read_document
from specs.structure import Structure, check_structure
from specs.suggest import nearest
from specs.verdict import verdict

__all__ = ["Begun", "Checked", "FileProblem", "Files", "begin_file", "check_file", "check_text", "flow_name"]

MOST_FILES = 2000
"""Files of one check; a project whose flow reaches more is refused at the call that passes it."""


class Checked(Struct, frozen=True):
    """A file after all checks.

    Attributes:
        name: the file as it was named.
        root: the folder of its project, in the form of `name`.
        source: its text.
        flow: the typed model; `None` when the structure has errors.
        context: what rules saw; `None` when there is no model.
        diagnostics: what was found in it and its libraries, in source order, suppressed ones left out, series cut.
        files: every text that was read for it, by path from the root: itself, its libraries, its sub-flows.
        children: sub-flows by the text of `flow:`, those that could be read and do not lead back to this file.
    """

    name: str
    root: str
    source: Source
    flow: FlowSpec | None
    context: FlowContext | None
    diagnostics: tuple[Diagnostic, ...]
    files: Mapping[str, str]
    children: Mapping[str, Checked]

    @property
    def ok(self) -> bool:
        """Whether there are no errors, here and in sub-flows."""
        return not has_errors(self.diagnostics)


class Begun(Struct, frozen=True):
    """A file that was read with all it calls, and that no rule has looked at.

    Attributes:
        contexts: what rules will see, sub-flows before those that call them.
        size: characters of everything that was read.
        finish: runs the rules; to be called once.
    """

    contexts: tuple[FlowContext, ...]
    size: int
    finish: Callable[[], Checked]


def check_file(
    path: str,
    files: Files,
    *,
    catalogue: Catalogue | None = None,
    limits: Limits = DEFAULT_LIMITS,
    opt_in: frozenset[str] = frozenset(),
    now: datetime | None = None,
    policy: Policy = AS_WRITTEN,
    more_rules: tuple[Rule, ...] = (),
) -> Checked:
    """Check the flow at `path`. A file that cannot be read is a finding (FLOW131), not an exception."""
    policy = policy.changed(enable=opt_in)
    return begin_file(
        path, files, catalogue=catalogue, limits=limits, now=now, policy=policy, more_rules=more_rules
    ).finish()


def begin_file(
    path: str,
    files: Files,
    *,
    catalogue: Catalogue | None = None,
    limits: Limits = DEFAULT_LIMITS,
    now: datetime | None = None,
    policy: Policy = AS_WRITTEN,
    more_rules: tuple[Rule, ...] = (),
) -> Begun:
    """The first half of `check_file`, for who has something to do for many flows at once before rules run."""
    try:
        data = files.read(path)
    except FileProblem as problem:
        source = Source(path, "")
        found = _at_top(source, "FLOW131", f"`{shortened(path, 80)}` cannot be read: {problem.message}")
        unread = Checked(path, _root(path, files), source, None, None, (found,), {}, {})
        return Begun((), 0, lambda: unread)
    return _Project(_root(path, files), files, catalogue, limits, policy, now, more_rules).begin(data, path)


def check_text(
    data: bytes,
    name: str,
    files: Files | None,
    *,
    catalogue: Catalogue | None = None,
    limits: Limits = DEFAULT_LIMITS,
    opt_in: frozenset[str] = frozenset(),
    now: datetime | None = None,
    policy: Policy = AS_WRITTEN,
    more_rules: tuple[Rule, ...] = (),
) -> Checked:
    """Check the text of a flow that is known as `name`; paths in it start from the folder of `name`.

    Without `files`, libraries and sub-flows cannot be had. `opt_in` names codes that are off unless asked for. Without
    `now`, nothing is said of what lies in the past or on days to come. `policy` is what the project makes of findings.
    `more_rules` are the caller's own, such as those that run tools on scripts.
    """
    project = _Project(_root(name, files), files, catalogue, limits, policy.changed(enable=opt_in), now, more_rules)
    with without_collection():
        return project.begin(data, name).finish()


def flow_name(checked: Checked | FlowContext) -> str:
    """The name of a flow: what it says itself, else the file's name without its ending, made fit to be one."""
    if checked.flow is not None and checked.flow.name is not None:
        return checked.flow.name
    fitting = re.sub(r"[^a-z0-9_-]+", "-", stem(checked.name).lower()).strip("-_")
    return fitting[:63] or "flow"


class _Loaded(Struct):
    """A file of the project on its way: read and structured, its calls resolved to paths, not yet checked by rules."""

    path: str
    reading: Reading
    libraries: Libraries
    structure: Structure | None
    context: FlowContext | None
    children: dict[str, FlowContext | None]
    unreadable: dict[str, str]
    calls: dict[str, str] = field(default_factory=dict)  # text of `flow:` -> path


class _Project:
    """The files one check reaches, each read once."""

    def __init__(
        self,
        root: str,
        files: Files | None,
        catalogue: Catalogue | None,
        limits: Limits,
        policy: Policy,
        now: datetime | None,
        more_rules: tuple[Rule, ...],
    ) -> None:
        self._root = root
        self._files = files
        self._catalogue = catalogue
        self._limits = limits
        self._policy = policy
        self._now = now
        wants_more = any(info.opt_in and policy.reports(code) for code, info in CODES.items())
        self._rules = (*all_rules(opt_in=wants_more), *more_rules)
        self._loaded: dict[str, _Loaded] = {}
        self._checked: dict[str, Checked] = {}
        self._nesting = Nesting()

    def begin(self, data: bytes, name: str) -> Begun:
        """Read all that the file reaches."""
        own = beside("", name)
        with without_collection():
            self._loaded[own] = self._load(data, name)
            self._load_called(self._loaded[own])
        order = list(self._callees_first(own))
        contexts = tuple(filter(None, (self._loaded[path].context for path, _ in order)))
        self._nesting.settle({context.name: _names_called(context) for context in contexts})
        size = sum(len(loaded.reading.source.text) for loaded in self._loaded.values())
        return Begun(contexts, size, lambda: self._finish(own, order))

    def _finish(self, own: str, order: Sequence[tuple[str, frozenset[str]]]) -> Checked:
        """Check the file and, before it, all it calls."""
        with without_collection():
            for path, cycling in order:
                self._checked[path] = self._run_rules(path, self._loaded[path], cycling)
        return self._checked[own]

    # --- reading ---

    def _load_called(self, first: _Loaded) -> None:
        waiting = [first]
        while waiting:
            caller = waiting.pop()
            for text in _calls(caller.structure):
                found = self._resolve(caller, text)
                if found is None:
                    continue
                path, content = found
                caller.calls[text] = path
                if path not in self._loaded and content is not None:
                    self._loaded[path] = self._load(content, path)
                    waiting.append(self._loaded[path])
                caller.children[text] = self._loaded[path].context

    def _load(self, data: bytes, path: str) -> _Loaded:
        reading = read_document(data, path, self._limits)
        document = reading.document
        if document is None or not reading.is_sound:
            return _Loaded(path, reading, Libraries(), None, None, {}, {})
        libraries = load_libraries(document, path, self._files, self._limits)
        structure = check_structure(document, libraries)
        children: dict[str, FlowContext | None] = {}
        unreadable: dict[str, str] = {}
        context = None
        if structure.flow is not None and not has_errors(reading.diagnostics):
            # a flow may be called before its own calls are known, so the maps are filled afterwards
            context = FlowContext(
                path,
                structure.flow,
                structure.places,
                children,
                unreadable,
                self._catalogue,
                self._now,
                self._nesting,
            )
        return _Loaded(path, reading, libraries, structure, context, children, unreadable)

    def _resolve(self, caller: _Loaded, text: str) -> tuple[str, bytes | None] | None:
        """Path and content of a sub-flow (no content when it is loaded already), `None` when it cannot be had."""
        problem = path_problem(text) or ("there are no files here" if self._files is None else None)
        if problem is None and len(self._loaded) >= MOST_FILES:
            problem = f"more than {MOST_FILES} files are reached"
        if problem is None and self._files is not None:
            for path in self._candidates(caller.path, text):
                if path in self._loaded:
                    return path, None
                try:
                    return path, self._files.read(path)
                except FileProblem as refused:
                    problem = problem or refused.message
            near = self._near(caller.path, text)
            problem = f"{problem}; did you mean `{near}`?" if near else problem
        caller.children[text] = None
        caller.unreadable[text] = problem or "it cannot be read"
        return None

    def _candidates(self, path: str, text: str) -> list[str]:
        if "/" in text or text.endswith((".yaml", ".yml")):
            return [beside(path, text)]
        names = (f"{text}.yaml", f"{text}.yml")
        return [*(beside(path, name) for name in names), *(inside(self._root, f"flows/{name}") for name in names)]

    def _near(self, path: str, text: str) -> str | None:
        if self._files is None:
            return None
        target = beside(path, text)
        names = [name for name in self._files.siblings(target) if name.endswith((".yaml", ".yml"))]
        folder, _, name = text.rpartition("/")
        is_bare = not name.endswith((".yaml", ".yml"))
        near = nearest(name, [stem(known) for known in names] if is_bare and not folder else names)
        return f"{folder}/{near}" if near and folder else near

    # --- rules ---

    def _callees_first(self, name: str) -> Iterator[tuple[str, frozenset[str]]]:
        """Every path with those of its calls that lead back to it, after all it calls."""
        entered: set[str] = {name}
        open_paths: dict[str, set[str]] = {name: set()}
        stack = [(name, iter(self._loaded[name].calls.values()))]
        while stack:
            path, calls = stack[-1]
            callee = next(calls, None)
            if callee is None:
                stack.pop()
                yield path, frozenset(open_paths.pop(path))
            elif callee in open_paths:
                open_paths[path].add(callee)
            elif callee not in entered:
                entered.add(callee)
                open_paths[callee] = set()
                stack.append((callee, iter(self._loaded[callee].calls.values())))

    def _run_rules(self, own: str, loaded: _Loaded, cycling: frozenset[str]) -> Checked:
        source = loaded.reading.source
        found = list(loaded.reading.diagnostics)
        if loaded.structure is not None:
            found += loaded.structure.diagnostics
        children = {text: self._checked[path] for text, path in loaded.calls.items() if path not in cycling}
        for text, child in children.items():
            errors = [one for one in child.diagnostics if one.severity is Severity.ERROR]
            # a circle is reported by every flow in it, and needs no second finding there
            if errors and not (_only_circles(errors) and self._reaches(loaded.calls[text], own)):
                help_ = f"run `flowctl validate {child.name}`"
                loaded.unreadable[text] = f"it has errors, the first is {errors[0].code}; {help_}"
        if loaded.context is None:
            found.append(_at_top(source, "FLOW902", f"{len(self._rules)} checks skipped because of the errors above"))
        else:
            found += _findings_of_rules(self._rules, loaded.context, source)
        flow = loaded.context.flow if loaded.context is not None else None
        diagnostics = verdict(
            found,
            source=source,
            libraries=[document.source for document in loaded.libraries.documents.values()],
            policy=self._policy,
            root=self._root,
            is_complete=loaded.context is not None,
        )
        texts = self._texts(loaded, children)
        return Checked(loaded.path, self._root, source, flow, loaded.context, diagnostics, texts, children)

    def _reaches(self, start: str, target: str) -> bool:
        seen, waiting = {start}, [start]
        while waiting:
            for path in self._loaded[waiting.pop()].calls.values():
                if path == target:
                    return True
                if path not in seen:
                    seen.add(path)
                    waiting.append(path)
        return False

    def _texts(self, loaded: _Loaded, children: Mapping[str, Checked]) -> dict[str, str]:
        texts = {relative_to(self._root, loaded.path): loaded.reading.source.text}
        for path, text in loaded.libraries.texts.items():
            texts[relative_to(self._root, path)] = text
        for child in children.values():
            texts.update(child.files)
        return texts


def _findings_of_rules(rules: tuple[Rule, ...], context: FlowContext, source: Source) -> Iterator[Diagnostic]:
    for rule in rules:
        try:
            yield from list(rule(context))
        except Exception as error:  # noqa: BLE001 - a mistake in one check must not hide what the others find
            name = getattr(rule, "__name__", type(rule).__name__)
            message = f"internal: check `{name}` failed with {type(error).__name__}"
            yield _at_top(source, "FLOW901", message, "this is a defect of flowctl, please report it")


def _calls(structure: Structure | None) -> Iterator[str]:
    """The texts of `flow:` in a flow, each once; one with an expression is a rule's to refuse."""
    if structure is None or structure.flow is None:
        return
    flow, seen = structure.flow, set[str]()
    hooks = (getattr(flow.hooks, kind) for kind in type(flow.hooks).model_fields)
    for tasks in (flow.tasks, *hooks):
        for task in tasks.values():
            for text in (task.flow, task.undo.flow if task.undo is not None else None):
                if text is not None and text not in seen and "${{" not in text:
                    seen.add(text)
                    yield text


def _names_called(context: FlowContext) -> list[str]:
    return [child.name for child in context.children.values() if child is not None]


def _only_circles(errors: list[Diagnostic]) -> bool:
    return all(one.code == "FLOW254" for one in errors)


def _root(name: str, files: Files | None) -> str:
    return files.root_of(name) if files is not None else ""


def _at_top(source: Source, code: str, message: str, help_: str | None = None) -> Diagnostic:
    return Diagnostic(code, Place(source, 0, 0), message, help=help_, severity=CODES[code].severity)
