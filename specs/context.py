"""What a rule sees: a typed flow, where everything of it stands, and the flows it calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Protocol, TypeAlias

from msgspec import Struct, field

from specs.codes import CODES
from specs.diagnostics import Diagnostic, Fix, Label, Place
from specs.expressions.analysis import Analysis
from specs.graph import FlowGraph, graphs_of
from specs.model import FlowSpec
from specs.nesting import Nesting
from specs.scripts import Script, scripts_of

Path: TypeAlias = tuple[str | int | float | bool, ...]
"""Keys and indices from the top of a file, as written: `("tasks", "load", "after", 0)`."""


class Places(Protocol):
    """Finds the place of a path of the *merged* flow, through inheritance and includes."""

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Where the value at `path` stands, or with `key` its key. A path that goes too deep gives the nearest parent."""

    def inherited(self, path: Path) -> bool:
        """Whether the value comes from `defaults`, a template or an included file rather than from where it is read."""

    def scalar_offset(self, path: Path, index: int) -> int | None:
        """The offset in the file of code point `index` of the text at `path`, or `None` where it cannot be told."""


class FieldSpec(Struct, frozen=True):
    """A field of a connector action. `type` is a `ValueType` or `any`; `secret` fields may hold `${{ secrets.X }}`,
    `literal` ones (SQL, templates) hold no expression at all."""

    type: str = "any"
    required: bool = False
    secret: bool = False
    literal: bool = False
    choices: tuple[str, ...] = ()


class ActionSpec(Struct, frozen=True):
    """What a connector action takes and gives; `outputs` maps names to types, `None` when they are not known."""

    fields: Mapping[str, FieldSpec]
    outputs: Mapping[str, str] | None = None


class Catalogue(Protocol):
    """The connectors that are installed, known by their signatures only: checking never imports a connector's code."""

    def types(self) -> tuple[str, ...]:
        """Names of connector types: `http`, `file`, ..."""

    def actions(self, type_name: str) -> Mapping[str, ActionSpec] | None:
        """Actions of a type, `None` when there is no such type."""

    def unconfigured(self) -> tuple[str, ...]:
        """Types usable as `type.action` with no entry in `connectors`."""


class FlowContext(Struct, frozen=True, dict=True):
    """A flow under check.

    Attributes:
        name: the file as shown to the user.
        flow: the typed model after inheritance and includes.
        places: where things stand.
        children: by the text of `flow:`, the sub-flow, or `None` when it could not be found or read.
        unreadable: by the text of `flow:`, why a sub-flow could not be had.
        catalogue: installed connectors.
        now: the instant of the check, aware; `None` where nobody tells, and what depends on it is not checked.
        nesting: how deep the flows of this check call each other, by their names.
    """

    name: str
    flow: FlowSpec
    places: Places
    children: Mapping[str, FlowContext | None] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    catalogue: Catalogue | None = None
    now: datetime | None = None
    nesting: Nesting = field(default_factory=Nesting)

    @cached_property
    def graphs(self) -> tuple[FlowGraph, ...]:
        """The graph of the flow's own tasks, then one for each kind of hook; built once for all rules."""
        return graphs_of(self.flow)

    @cached_property
    def expressions(self) -> Analysis:
        """Every expression of the flow, parsed and typed; made once for all rules and for flows that call this one."""
        return Analysis(self)

    @cached_property
    def scripts(self) -> tuple[Script, ...]:
        """Every script of the flow without an expression in it; found once for all that look at them."""
        return tuple(scripts_of(self))

    def finding(
        self,
        code: str,
        path: Path,
        message: str,
        *,
        key: bool = False,
        place: Place | None = None,
        help: str | None = None,  # noqa: A002 - the diagnostic's word
        labels: tuple[Label, ...] = (),
        fix: Fix | None = None,
    ) -> Diagnostic:
        """A diagnostic at `path` (or at `place`) with the severity its code has."""
        return Diagnostic(
            code=code,
            place=place or self.places.place(path, key=key),
            message=message,
            help=help,
            severity=CODES[code].severity,
            labels=labels,
            fix=fix,
            path=tuple(part if isinstance(part, int | str) else str(part) for part in path),
        )


class Rule(Protocol):
    """A check: yields findings, in any order; never raises for what an author wrote."""

    def __call__(self, context: FlowContext) -> Iterator[Diagnostic]: ...
