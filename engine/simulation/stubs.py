"""What attempts are to end with instead of being made: given by the user, the rest invented from declared types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from msgspec import Struct, field
from msgspec.structs import replace

from engine.outcomes import Failure, Json
from engine.plan import Output, PlanTask, UseAction
from engine.simulation.trace import Segment
from specs.context import Catalogue

DEFAULT_DURATION = timedelta(seconds=1)
"""How long an attempt takes when nobody says."""


class Stub(Struct, frozen=True):
    """How the attempts of a task, or of an item, end.

    Attributes:
        outputs: what it succeeds with; what is missing of the declared ones is invented.
        failure: what it fails with; `None` succeeds. Kind `lost` is nobody knowing how it ended, `timeout` an attempt that
            does not end by itself.
        duration: how long an attempt takes, `None` for the default.
        attempts: the first attempts of the run, one after the other and over all rounds; after them the stub itself
            holds. What one of them leaves open (`outputs`, `duration`) is taken from the stub.
        items: for items of a fan-out, by key or by position; others have the stub itself.
        tasks: for tasks of the sub-flow that the task calls.
    """

    outputs: Mapping[str, Json] = field(default_factory=dict)
    failure: Failure | None = None
    duration: timedelta | None = None
    attempts: tuple[Stub, ...] = ()
    items: Mapping[str, Stub] = field(default_factory=dict)
    tasks: Mapping[str, Stub] = field(default_factory=dict)

    def attempt(self, number: int) -> Stub:
        """How attempt `number` (from 1) ends."""
        if number > len(self.attempts):
            return self
        own = self.attempts[number - 1]
        return replace(
            own,
            outputs={**self.outputs, **own.outputs},
            duration=self.duration if own.duration is None else own.duration,
        )

    def of_item(self, segment: Segment) -> Stub:
        """The stub of an item, the stub itself where none is given for it."""
        if segment.item is None:
            return self
        return self.items.get(segment.key or "") or self.items.get(str(segment.item)) or self


class StubSet(Struct, frozen=True):
    """Stubs for the tasks of a flow, and how long an attempt takes that none speaks of."""

    tasks: Mapping[str, Stub] = field(default_factory=dict)
    duration: timedelta = DEFAULT_DURATION

    def find(self, path: Sequence[Segment], unit: Segment) -> Stub:
        """The stub of a unit of the run at `path`; one that succeeds with invented outputs where none is given."""
        tasks = self.tasks
        for segment in path:
            caller = tasks.get(segment.task, _NOTHING)
            own = caller.of_item(segment)
            tasks = {**caller.tasks, **own.tasks}
        return tasks.get(unit.task, _NOTHING).of_item(unit)


_NOTHING = Stub()

# --- inventing ----------------------------------------------------------------------------------------------------------

_BY_TYPE: Mapping[str, Json] = {
    "int": 1,
    "float": 1.0,
    "bool": True,
    "date": "2026-01-01",
    "datetime": "2026-01-01T00:00:00+00:00",
    "duration": "1s",
    "size": 1024,
    "json": {},
    "any": {},
    "map": {},
}
_OF_HTTP: Mapping[str, Json] = {"status": 200, "headers": {}, "json": {}, "text": ""}


def invented(task: PlanTask, catalogue: Catalogue | None) -> dict[str, Json]:
    """Outputs of the declared types: always the same for the same declaration. A connector's own outputs are among them
    where its signature is known."""
    found: dict[str, Json] = {}
    if isinstance(task.action, UseAction):
        found.update(_of_connector(task.action, catalogue))
    for name, spec in task.outputs.items():
        found[name] = _of_spec(name, spec)
    return found


def _of_connector(action: UseAction, catalogue: Catalogue | None) -> Mapping[str, Json]:
    if (action.type, action.action) == ("http", "request"):
        return _OF_HTTP
    actions = None if catalogue is None else catalogue.actions(action.type)
    signature = None if actions is None else actions.get(action.action)
    outputs = None if signature is None else signature.outputs
    return {name: invented_value(name, kind) for name, kind in (outputs or {}).items()}


def _of_spec(name: str, spec: Output) -> Json:
    if spec.source == "exit_code":
        return "0" if spec.type == "string" else 0
    return invented_value(name, spec.type, spec.items)


def invented_value(name: str, kind: str, items: str | None = None) -> Json:
    """A value of a declared type: texts are the name, paths lead nowhere, a list has one element."""
    if kind == "path":
        return f"/simulated/{name}"
    if kind == "list":
        return [invented_value(name, items or "string")]
    return _BY_TYPE.get(kind, name)
