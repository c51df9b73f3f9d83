"""The flows that are open in an editor: their texts as they are now, and what the last check of each has found."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from engine.clock import SystemClock
from engine.connectors.catalogue import InstalledCatalogue
from engine.errors import FlowctlError
from flowctl.check_settings import called_for
from flowctl.checking import CheckOptions
from flowctl.files import ProjectFiles, discover, project_root, reads_like_flow
from flowctl.lsp.occurrences import Occurrence, occurrences
from flowctl.overlay import OverlaidFiles
from flowctl.settings import PROJECT_FILE, Settings, load_settings
from specs.check import Checked, check_text
from specs.context import FlowContext
from specs.policy import AS_WRITTEN
from specs.source import DEFAULT_LIMITS, Limits

_TESTS = (".test.yaml", ".test.yml")
_OF_TOOLS = frozenset({"FLOW701", "FLOW702", "FLOW703", "FLOW704"})
"""Codes of findings that take processes to make; none is started while somebody types."""

_MOST_FLOWS = 500
"""Flows of a project that are proposed for `flow:`."""


class Analysis(Struct, frozen=True, dict=True):
    """A text that was open, and what came of checking it."""

    text: str
    checked: Checked

    @property
    def context(self) -> FlowContext | None:
        """The typed flow, `None` when its structure has errors."""
        return self.checked.context

    @cached_property
    def found(self) -> tuple[Occurrence, ...]:
        """All places that name something of the flow; looked for when somebody asks."""
        return tuple(occurrences(self.context)) if self.context is not None else ()


class Desk:
    """Open files by absolute path. May be used by several threads."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._lock = threading.RLock()
        self._checking = threading.Lock()
        self._texts: dict[Path, str] = {}
        self._analyses: dict[Path, Analysis] = {}
        self._contexts: dict[Path, FlowContext] = {}
        self._options: dict[Path, CheckOptions] = {}

    # --- texts ------------------------------------------------------------------------------------------------------------

    def put(self, path: Path, text: str) -> None:
        """A file is open, with this text."""
        with self._lock:
            self._texts[path] = text

    def drop(self, path: Path) -> None:
        """A file is no longer open."""
        with self._lock:
            for known in (self._texts, self._analyses, self._contexts):
                known.pop(path, None)

    def forget_settings(self) -> None:
        """Settings may have changed: files, and `flowctl.yaml` among them, were saved."""
        with self._lock:
            self._options.clear()
            self._analyses.clear()

    def text(self, path: Path) -> str | None:
        """The text of an open file."""
        with self._lock:
            return self._texts.get(path)

    def open_paths(self) -> list[Path]:
        """All open files."""
        with self._lock:
            return list(self._texts)

    # --- checks -----------------------------------------------------------------------------------------------------------

    def is_flow(self, path: Path) -> bool:
        """Whether an open file is to be checked as a flow: not settings, a test or a library."""
        text = self.text(path)
        if text is None or path.name == PROJECT_FILE or path.name.endswith(_TESTS):
            return False
        return not text.strip() or reads_like_flow(text.encode("utf-8", "surrogatepass"))

    def analysis(self, path: Path) -> Analysis | None:
        """The check of the text as it is now, `None` for a file that is not open or no flow."""
        if not self.is_flow(path):
            return None
        with self._checking:  # one at a time: the second finds the work of the first
            text = self.text(path)
            known = self._analyses.get(path)
            if text is None or (known is not None and known.text == text):
                return known
            checked = self._check(path, text)
            analysis = Analysis(text, checked)
            with self._lock:
                self._analyses[path] = analysis
                if checked.context is not None:
                    self._contexts[path] = checked.context
            return analysis

    def known_context(self, path: Path, line: int) -> FlowContext | None:
        """The flow when its structure was last sound; if it never was, what it is without line `line` (from 0), or
        without the task that line is in."""
        with self._lock:
            known, text = self._contexts.get(path), self._texts.get(path)
        if known is not None or text is None or not self.is_flow(path):
            return known
        for without in (text_without(text, line, line + 1), text_without(text, *entry_around(text, line))):
            context = self._check(path, without).context
            if context is not None:
                with self._lock:
                    return self._contexts.setdefault(path, context)
        return None

    def flows_beside(self, path: Path) -> tuple[str, ...]:
        """Flows in the folder of `path` and below, as `flow:` names them."""
        found = discover([path.parent], folder=path.parent).files[:_MOST_FLOWS]
        return tuple(each.relative_to(path.parent).as_posix() for each in found if each != path)

    def check(self, path: Path, texts: Mapping[Path, str]) -> Checked:
        """A check of an open file with some texts changed."""
        return self._check(path, texts.get(path, self.text(path) or ""), texts)

    def _check(self, path: Path, text: str, changed: Mapping[Path, str] | None = None) -> Checked:
        options = self._options_of(path.parent)
        with self._lock:
            texts = {**self._texts, **(changed or {})}
        files = OverlaidFiles(ProjectFiles((path,), most=options.limits.file_bytes), texts)
        return check_text(
            text.encode("utf-8", "surrogatepass"),
            path.as_posix(),
            files,
            catalogue=options.catalogue,
            limits=options.limits,
            policy=options.policy,
            now=options.now,
        )

    def _options_of(self, folder: Path) -> CheckOptions:
        """What the settings of the project of a folder say; settings that are wrong are as if they were not there."""
        root = project_root(folder)
        with self._lock:
            if root not in self._options:
                self._options[root] = self._read_options(root)
            return self._options[root]

    def _read_options(self, root: Path) -> CheckOptions:
        now = SystemClock().now()
        try:
            settings: Settings = load_settings(folder=root, environ=self._environ, flags={}, config=None)
        except FlowctlError:
            return CheckOptions(InstalledCatalogue({}), DEFAULT_LIMITS, AS_WRITTEN.changed(disable=_OF_TOOLS), now)
        most = settings.limits
        limits = Limits(file_bytes=most.file_bytes, nodes=most.nodes, depth=most.depth)
        policy = called_for(settings.checks, enable=[], disable=[]).changed(disable=_OF_TOOLS)
        return CheckOptions(InstalledCatalogue(settings.connectors), limits, policy, now)


def text_without(text: str, first: int, end: int) -> str:
    """A text with the lines from `first` up to `end` (from 0) emptied."""
    lines = text.split("\n")
    return "\n".join([*lines[:first], *("" for _ in lines[first:end]), *lines[end:]])


def entry_around(text: str, line: int) -> tuple[int, int]:
    """The lines of the entry one level below the top of the file, a task as a rule, that `line` is part of."""
    lines = text.split("\n")
    indents = [len(each) - len(each.lstrip(" ")) if each.strip() else -1 for each in lines]
    first, column = line, indents[line] if line < len(lines) and indents[line] >= 0 else 1 << 30
    for number in range(min(line, len(lines)) - 1, -1, -1):
        if indents[number] == 0:
            break
        if 0 < indents[number] < column:
            first, column = number, indents[number]
    end = next((number for number in range(line + 1, len(lines)) if 0 <= indents[number] <= column), len(lines))
    return first, end
