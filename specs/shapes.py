"""What must hold among the keys of one task before the model sees it: one action, keys that go together, nothing empty."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from specs.diagnostics import Edit, Fix, Label, Place
from specs.fields import keys_at
from specs.findings import Findings, Placing
from specs.foreign import bridge
from specs.inheritance import MEANING, MERGED, Inheritance, actions_in, has_meaning, kind_of
from specs.model.task import ACTIONS, TaskSpec
from specs.scalars import shortened
from specs.suggest import listed, nearest

Path = tuple[Any, ...]

PROBES = ("tcp", "http", "exec", "log", "file")
UNDO_ACTIONS = ("run", "exec", "call", "use", "flow")
_WAITS = ("for", "until", "signal")
_TASK_KEYS = frozenset(MEANING) | frozenset(ACTIONS)
TASK_FIELDS = frozenset(field.alias or name for name, field in TaskSpec.model_fields.items())
"""The keys that a task can have."""

_NEVER_EMPTY = frozenset({"exec", "branch", "fan_out", "wait", "undo", "ready", "health"})
_SHAPED = ("fan_out", "wait", "retry", "undo", "ready", "health", "branch")


class Shapes:
    """Checks the maps of tasks against each other's keys; `places` finds paths of the merged flow."""

    def __init__(self, findings: Findings, places: Placing, inheritance: Inheritance) -> None:
        self._findings = findings
        self._places = places
        self._inheritance = inheritance

    def check_task(self, path: Path, own: Mapping[Any, Any], merged: Mapping[Any, Any]) -> None:
        """Findings about one task: `own` is what it writes itself, `merged` what it is."""
        actions = actions_in(merged)
        if len(actions) == 1:
            self._meanings(path, own, merged)
        else:
            self._count_actions(path, own, actions)
        for key, value in own.items():
            if not value and (value is None or type(value) in (dict, list)):
                self._empty(path, own, key, value)
            elif key in MERGED and key != "with" and isinstance(value, dict) and None in value.values():
                self._empty_parts(path, own, key, value)
        for key in _SHAPED:
            if key in merged:
                self._check_shape(key, (*path, key), merged[key])

    # --- the action ---

    def _meanings(self, path: Path, own: Mapping[Any, Any], merged: Mapping[Any, Any]) -> None:
        kind = kind_of(merged) or ""
        for key in own:
            if key in MEANING and own[key] is not None and not has_meaning(key, kind):
                help_ = f"it goes with {listed(action for action in ACTIONS if action in MEANING[key])}"
                self._add("FLOW116", (*path, key), f"`{key}` has no meaning with `{kind}`", is_key=True, help_=help_)
        if merged.get("service") is True and "fan_out" in own:
            message = "`fan_out` has no meaning with `service`"
            self._add("FLOW116", (*path, "fan_out"), message, is_key=True, help_="a service does not fan out")

    def _count_actions(self, path: Path, own: Mapping[Any, Any], actions: list[str]) -> None:
        if actions:
            found = " and ".join(f"`{name}`" for name in actions)
            others = tuple(Label(self._places.place((*path, name), key=True), "and here") for name in actions[1:])
            message = f"a task needs exactly one action, found {found}"
            self._add("FLOW114", (*path, actions[0]), message, is_key=True, labels=others)
        elif not any(_stands_for_action(key) for key in own):
            message = "a task needs exactly one action, found none"
            self._add("FLOW114", path, message, is_key=True, help_=f"the actions are {listed(ACTIONS)}")

    # --- nothing there ---

    def _empty(self, path: Path, own: Mapping[Any, Any], key: Any, value: Any) -> None:
        if key not in TASK_FIELDS:
            return  # it is not the value that is wrong
        if value is None and (self._inheritance.gives(own, key) or (key in ACTIONS and not actions_in(own))):
            return  # it removes what is inherited; or FLOW114 says that there is no action
        if value is not None and key in _NEVER_EMPTY:
            return  # reported as incomplete
        self._add_empty((*path, key), key)

    def _empty_parts(self, path: Path, own: Mapping[Any, Any], key: Any, value: Mapping[Any, Any]) -> None:
        known = keys_at(("tasks", "", key)) or value
        for part, inner in value.items():
            if inner is None and part in known and key != "outputs" and not self._inheritance.gives(own, key, part):
                self._add_empty((*path, key, part), part)

    def _add_empty(self, path: Path, key: Any) -> None:
        add_empty(self._findings, self._places, path, key)

    # --- keys that exclude or need each other ---

    def _check_shape(self, key: str, path: Path, value: Any) -> None:
        if key == "branch":
            for number, arm in enumerate(value if isinstance(value, list) else ()):
                if isinstance(arm, dict):
                    self._arm((*path, number), arm)
        elif isinstance(value, dict):
            getattr(self, f"_{key}")(path, value)

    def _fan_out(self, path: Path, value: Mapping[Any, Any]) -> None:
        self._one_of(path, value, ("items", "matrix"))
        for key in ("exclude", "include"):
            if key in value and "items" in value and "matrix" not in value:
                self._exclusive(path, "items", key)

    def _wait(self, path: Path, value: Mapping[Any, Any]) -> None:
        self._one_of(path, value, _WAITS)
        if "timeout" in value and "signal" not in value:
            for key in ("for", "until"):
                if key in value:
                    self._exclusive(path, key, "timeout")

    def _retry(self, path: Path, value: Mapping[Any, Any]) -> None:
        for key in ("delay", "backoff"):
            if value.get("delays") is not None and value.get(key) is not None:
                self._exclusive(path, "delays", key)

    def _undo(self, path: Path, value: Mapping[Any, Any]) -> None:
        actions = [name for name in UNDO_ACTIONS if value.get(name) is not None]
        if len(actions) != 1:
            found = " and ".join(f"`{name}`" for name in actions) or "none"
            message = f"an undo needs exactly one action, found {found}"
            self._add("FLOW114", path, message, is_key=True, help_=f"the actions are {listed(UNDO_ACTIONS)}")
        for key in ("delay", "backoff"):
            retry = value.get("retry")
            if isinstance(retry, dict) and retry.get("delays") is not None and retry.get(key) is not None:
                self._exclusive((*path, "retry"), "delays", key)

    def _ready(self, path: Path, value: Mapping[Any, Any]) -> None:
        self._one_of(path, value, PROBES)

    def _health(self, path: Path, value: Mapping[Any, Any]) -> None:
        self._one_of(path, value, PROBES)

    def _arm(self, path: Path, arm: Mapping[Any, Any]) -> None:
        if "else" in arm:
            for key in ("if", "then"):
                if key in arm:
                    self._exclusive(path, "else", key)
        elif "then" not in arm and "if" in arm:
            self._add("FLOW111", path, "`then` is missing")
        elif "if" not in arm and "then" in arm:
            self._add("FLOW111", path, "`if` is missing", help_="the last arm may be `else: [...]`")
        elif not arm:
            self._add("FLOW111", path, "`if` and `then`, or `else`, are missing")

    def _one_of(self, path: Path, value: Mapping[Any, Any], keys: Iterable[str]) -> None:
        names = tuple(keys)
        present = [key for key in names if value.get(key) is not None]
        for other in present[1:]:
            self._exclusive(path, present[0], other)
        # a misspelt key is reported as such
        if not present and not any(nearest(str(key), names) for key in value):
            self._add("FLOW111", path, f"one of {listed(names)} is missing", is_key=True)

    def _exclusive(self, path: Path, first: str, second: str) -> None:
        label = Label(self._places.place((*path, first), key=True), f"`{first}` is here")
        message = f"`{first}` and `{second}` exclude each other"
        self._add("FLOW115", (*path, second), message, is_key=True, labels=(label,))

    def _add(
        self,
        code: str,
        path: Path,
        message: str,
        *,
        is_key: bool = False,
        help_: str | None = None,
        labels: tuple[Label, ...] = (),
    ) -> None:
        place = self._places.place(path, key=is_key)
        self._findings.add(code, place, message, path=path, help_=help_, labels=labels)


def add_empty(findings: Findings, places: Placing, path: Path, key: Any) -> None:
    """FLOW123: the value at `path` is null or has nothing in it; with a fix where the entry has its lines to itself."""
    place = places.place(path, key=True)
    help_ = "remove it, or write what belongs there"
    removal = entry_removal(place, places.place(path))
    findings.add("FLOW123", place, f"`{shortened(str(key))}` is empty", path=path, help_=help_, fix=removal)


def entry_removal(key: Place, value: Place) -> Fix | None:
    """The fix that removes an entry of a block map, `None` when something else stands on its lines."""
    text = key.source.text
    start = text.rfind("\n", 0, key.start) + 1
    stop = text.find("\n", max(value.end, key.end))
    end = len(text) if stop < 0 else stop + 1
    before, after = text[start : key.start], text[max(value.end, key.end) : end].strip()
    if before.strip() or after not in ("", ":") or value.source is not key.source:
        return None
    return Fix("remove it", (Edit(Place(key.source, start, end), ""),))


def _stands_for_action(key: object) -> bool:
    """Whether an unknown key was meant for an action: then that is the finding, not the missing action."""
    if key in _TASK_KEYS or not isinstance(key, str):
        return False
    found = bridge(key, "", {}, level="task")
    near = nearest(key, (*ACTIONS, *MEANING, "after", "join", "if", "extends", "description", "labels", "priority"))
    return near in ACTIONS or (found is not None and found.rename in ACTIONS)
