"""Library files: what a flow may include, and nothing above its project (`LANGUAGE.md` 2, `include`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field

from specs.diagnostics import Diagnostic, Place
from specs.files import FileProblem, Files, beside, path_problem
from specs.scalars import shortened
from specs.source import Document, Limits, Reading, read_document

SECTIONS = ("templates", "connectors", "pools", "env")
"""What a library may hold beside `version` and further `include`s."""


class Libraries(Struct):
    """The libraries of a flow by path, each once, in the order they are first named; their texts, and what was found."""

    documents: dict[str, Document] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    findings: list[Diagnostic] = field(default_factory=list)


def load_libraries(document: Document, path: str, files: Files | None, limits: Limits) -> Libraries:
    """Read everything that `document`, the file at `path`, includes, directly or through other libraries."""
    libraries = Libraries()
    chains: dict[str, tuple[str, ...]] = {path: (path,)}
    waiting = [(path, document)]
    while waiting:
        including, current = waiting.pop(0)
        for place, text in _included(current):
            target = beside(including, text)
            chain = (*chains[including], target)
            problem = _refusal(text, target, chain, files)
            if problem is None and target in libraries.documents:
                continue
            reading = _read(target, files, limits) if problem is None and files is not None else problem or ""
            if isinstance(reading, str):
                libraries.findings.append(_cannot_include(place, text, reading, chain))
                continue
            assert reading.document is not None  # noqa: S101 - `_read` gives sound readings only
            libraries.documents[target] = reading.document
            libraries.texts[target] = reading.source.text
            libraries.findings.extend(reading.diagnostics)
            chains[target] = chain
            waiting.append((target, reading.document))
    return libraries


def _included(document: Document) -> Iterator[tuple[Place, str]]:
    """The texts of `include` with their places; anything else in it is the schema's to report."""
    include = document.data.get("include")
    for index, text in enumerate(include if isinstance(include, list) else ()):
        if isinstance(text, str):
            yield document.place(("include", index)), text


def _refusal(text: str, target: str, chain: tuple[str, ...], files: Files | None) -> str | None:
    problem = path_problem(text)
    if problem is not None:
        return problem
    if target in chain[:-1]:
        return "it includes itself"
    return "there are no files here" if files is None else None


def _read(target: str, files: Files, limits: Limits) -> Reading | str:
    """A sound reading of a library, or why there is none, without a word of what is in the file."""
    try:
        data = files.read(target)
    except FileProblem as problem:
        return problem.message
    reading = read_document(data, target, limits)
    document = reading.document
    if document is None or not reading.is_sound:
        first = reading.diagnostics[0]
        line = reading.source.position(first.place.start)[0]
        return f"it cannot be read ({first.code} in line {line})"
    return reading if "version" in document.data else "it is not a library: it has no `version`"


def _cannot_include(place: Place, text: str, why: str, chain: tuple[str, ...]) -> Diagnostic:
    help_ = f"included through {' → '.join(chain)}" if len(chain) > 2 else None
    return Diagnostic("FLOW125", place, f"cannot include `{shortened(text, 80)}`: {why}", help=help_)


def library_keys() -> tuple[str, ...]:
    """The keys a library may have at its top."""
    return ("version", "include", *SECTIONS)


def entries(document: Document, section: str) -> dict[Any, Any]:
    """The entries a library gives to a section, empty when it is absent or no map."""
    found = document.data.get(section)
    return found if isinstance(found, dict) else {}
