"""Defaults, then template, then task: how the parts of a task are merged (`LANGUAGE.md` 2), on plain maps.

Merging also knows which keys mean something with which action (`LANGUAGE.md` 4): an inherited key that does not is left
out. Nothing is recorded for each task; where a key came from is found again when a message needs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct, field

from specs.codes import CODES
from specs.diagnostics import Diagnostic, Label
from specs.model.task import ACTIONS, EDGE_KEYS
from specs.scalars import shortened
from specs.source import Document
from specs.suggest import did_you_mean

_ATTEMPTS = frozenset({"run", "exec", "call", "use"})
_PROCESSES = frozenset({"run", "exec", "call"})
_COMMANDS = frozenset({"run", "exec"})
_REPEATABLE = _ATTEMPTS | {"flow"}
WAIT_FOR = "wait: {for}"
"""The action `wait` with a duration only, which cannot fail."""

MEANING: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        ("env", "timeout", "grace", "queue_timeout", "outputs", "artifacts", "pool", "lock", "worker", "preemptible"),
        _ATTEMPTS,
    ),
    **dict.fromkeys(("workdir", "resources"), _PROCESSES),
    **dict.fromkeys(("success_codes", "service", "ready", "health"), _COMMANDS),
    **dict.fromkeys(("retry", "repeat", "deadline", "undo", "dead_letter"), _REPEATABLE),
    "shell": frozenset({"run"}),
    "with": frozenset({"call", "use", "flow"}),
    "fan_out": _REPEATABLE | {"set"},
    "retry_upstream": frozenset(ACTIONS) - {"set"},
}
"""With which actions a key has a meaning; a key that is not here has one with all."""

MERGED = frozenset({"env", "with", "labels", "retry", "outputs"})
"""Keys that merge one level, key by key; all others replace."""

_ACTIONS = frozenset(ACTIONS)
_EDGES = frozenset(EDGE_KEYS)
_NO_RETRY_TOGETHER = ({"delays"}, {"delay", "backoff"})


class Layer(Struct, frozen=True):
    """A part of a task as written: `defaults`, a template, or the task itself."""

    document: Document
    path: tuple[Any, ...]
    data: dict[Any, Any]


class Inheritance(Struct):
    """What tasks of a flow inherit.

    Attributes:
        defaults: the `defaults` of the flow, if it has any.
        templates: all templates by name, those of libraries included.
    """

    defaults: Layer | None = None
    templates: dict[str, Layer] = field(default_factory=dict)
    _bases: dict[str | None, dict[Any, Any]] = field(default_factory=dict)

    def layers(self, task: Layer) -> list[Layer]:
        """What a task is made of, strongest first: itself, its templates, the defaults."""
        found = [task, *self._templates_of(task.data.get("extends"))]
        return [*found, self.defaults] if self.defaults is not None else found

    def merge(self, task: dict[Any, Any]) -> dict[Any, Any]:
        """The task as the model sees it: merged, nulls gone, inherited keys without a meaning left out."""
        template = task.get("extends")
        base = self._base(template if isinstance(template, str) else None)
        if not base:
            return _without_nulls(task)
        return _merged(base, task)

    def gives(self, task: Mapping[Any, Any], key: object, part: object = None) -> bool:
        """Whether a task inherits `key`, or `part` of it: then a null there removes something."""
        template = task.get("extends")
        inherited = self._base(template if isinstance(template, str) else None).get(key)
        return inherited is not None and (part is None or (isinstance(inherited, dict) and part in inherited))

    def _base(self, template: str | None) -> dict[Any, Any]:
        base = self._bases.get(template)
        if base is None:
            base = {}
            chain = self._templates_of(template)
            for layer in [*([self.defaults] if self.defaults else []), *reversed(chain)]:
                written = {key: value for key, value in layer.data.items() if key not in _EDGES and key != "extends"}
                base = _over(base, written)
            self._bases[template] = base
        return base

    def _templates_of(self, name: object) -> list[Layer]:
        chain: list[Layer] = []
        seen: set[str] = set()
        while isinstance(name, str) and name in self.templates and name not in seen:
            seen.add(name)
            chain.append(self.templates[name])
            name = self.templates[name].data.get("extends")
        return chain


def actions_in(task: Mapping[Any, Any]) -> list[str]:
    """The action keys of a task that are written and not null, in the order of the language."""
    found = [key for key, value in task.items() if value is not None and key in _ACTIONS]
    return found if len(found) < 2 else sorted(found, key=ACTIONS.index)


def kind_of(task: Mapping[Any, Any]) -> str | None:
    """The one action of a task, `WAIT_FOR` for a plain wait; `None` when it has none or several."""
    actions = actions_in(task)
    if len(actions) != 1:
        return None
    wait = task.get("wait")
    is_plain_wait = isinstance(wait, dict) and "for" in wait and "signal" not in wait and "until" not in wait
    return WAIT_FOR if actions == ["wait"] and is_plain_wait else actions[0]


def has_meaning(key: object, kind: str) -> bool:
    """Whether a key of a task means anything with this action."""
    if kind == WAIT_FOR:
        return key not in MEANING
    return key not in MEANING or kind in MEANING[str(key)]


def check_inheritance(inheritance: Inheritance) -> Iterator[Diagnostic]:
    """FLOW218 and FLOW220 in `defaults` and templates, circles included."""
    layers = [*([inheritance.defaults] if inheritance.defaults else []), *inheritance.templates.values()]
    for layer in layers:
        for key in EDGE_KEYS:
            if key in layer.data:
                where = "`defaults`" if layer is inheritance.defaults else f"template `{layer.path[-1]}`"
                message = f"edges are not inherited: `{key}` in {where}"
                yield _finding("FLOW220", layer, key, message, is_key=True, help_="write it on the tasks")
        if "extends" in layer.data and layer is inheritance.defaults:
            help_ = "put the keys into `defaults` itself"
            yield _finding("FLOW218", layer, "extends", "`defaults` cannot extend a template", is_key=True, help_=help_)
        elif "extends" in layer.data:
            yield from unknown_template(inheritance, layer)
    yield from _circles(inheritance)


def unknown_template(inheritance: Inheritance, layer: Layer) -> Iterator[Diagnostic]:
    """FLOW218 when `extends` of a task or template names nothing; other types are the schema's to report."""
    name = layer.data.get("extends")
    if isinstance(name, str) and name not in inheritance.templates:
        help_ = did_you_mean(name, inheritance.templates) or "there are no templates here"
        yield _finding("FLOW218", layer, "extends", f"unknown template `{shortened(name)}`", help_=help_)


def _circles(inheritance: Inheritance) -> Iterator[Diagnostic]:
    finished: set[str] = set()
    for start in inheritance.templates:
        chain: dict[str, None] = {}
        name: object = start
        while isinstance(name, str) and name in inheritance.templates and name not in finished:
            if name in chain:
                names = list(chain)
                circle = [*names[names.index(name) :], name]
                yield _circle(inheritance, circle)
                break
            chain[name] = None
            name = inheritance.templates[name].data.get("extends")
        finished.update(chain)


def _circle(inheritance: Inheritance, circle: list[str]) -> Diagnostic:
    layers = [inheritance.templates[name] for name in circle[:-1]]
    labels = tuple(
        Label(layer.document.place((*layer.path, "extends")), f"`{name}` extends `{after}`")
        for layer, name, after in zip(layers[1:], circle[1:], circle[2:], strict=False)
    )
    message = f"template `{circle[0]}` extends itself: {' → '.join(circle)}"
    return _finding("FLOW218", layers[0], "extends", message, labels=labels)


def _finding(
    code: str,
    layer: Layer,
    key: str,
    message: str,
    *,
    is_key: bool = False,
    help_: str | None = None,
    labels: tuple[Label, ...] = (),
) -> Diagnostic:
    path = (*layer.path, key)
    place = layer.document.place(path, key=is_key)
    return Diagnostic(code, place, message, help=help_, severity=CODES[code].severity, labels=labels, path=path)


# --- merging --------------------------------------------------------------------------------------------------------


def _without_nulls(task: dict[Any, Any]) -> dict[Any, Any]:
    if None not in task.values():
        return task
    return {key: value for key, value in task.items() if value is not None}


def _merged(base: dict[Any, Any], task: dict[Any, Any]) -> dict[Any, Any]:
    merged = _over(base, task)
    kind = kind_of(merged)
    if kind is None:
        return merged
    return {key: value for key, value in merged.items() if key in task or has_meaning(key, kind)}


def _over(lower: dict[Any, Any], upper: dict[Any, Any]) -> dict[Any, Any]:
    """`upper` merged over `lower`; an action of `upper` removes those of `lower`."""
    merged = dict(lower)
    if not _ACTIONS.isdisjoint(upper) and actions_in(upper):
        merged = {key: value for key, value in merged.items() if key not in _ACTIONS}
    for key, value in upper.items():
        if value is None:
            merged.pop(key, None)
        elif key in MERGED and key in merged:
            merged[key] = _merge_one_level(key, merged[key], value)
        else:
            merged[key] = value
    return merged


def _merge_one_level(key: str, lower: Any, upper: Any) -> Any:
    if key == "retry":
        lower, upper = _retry_map(lower), _retry_map(upper)
    if not isinstance(lower, dict) or not isinstance(upper, dict):
        return upper
    merged = dict(lower)
    if key == "retry":
        for one, other in (_NO_RETRY_TOGETHER, _NO_RETRY_TOGETHER[::-1]):
            if not one.isdisjoint(upper):  # delays replace delay and backoff, and the other way round
                merged = {name: value for name, value in merged.items() if name not in other}
    for name, value in upper.items():
        if value is None and name in merged:
            del merged[name]
        else:
            merged[name] = value
    return merged


def _retry_map(value: Any) -> Any:
    return {"preset": value} if isinstance(value, str) else value
