"""Renaming a badly written id at its key and everywhere it is used in the file."""

from __future__ import annotations

import re
from typing import Any

from specs.diagnostics import Edit, Fix, Place
from specs.findings import Placing
from specs.model.task import EDGE_KEYS
from specs.scalars import written_form

Path = tuple[Any, ...]
_EXPRESSION_ROOTS = {"tasks": "tasks", "params": "params"}


def rename_fix(data: dict[Any, Any], path: Path, new: str, places: Placing) -> Fix | None:
    """The fix that renames the id that is the key at `path`; `None` when the new name is taken or uses are unknown."""
    if len(path) != 2 or path[0] not in _EXPRESSION_ROOTS or new in data.get(path[0], {}):
        return None
    section, old = path[0], written_form(path[1]) or ""
    key = places.place(path, key=True)
    edits = [Edit(key, new)]
    if section == "tasks":
        for use in _uses(data, old):
            place = places.place(use)
            if place.source is key.source and _is_written_as(place, old):
                edits.append(Edit(place, new))
    # in expressions: `tasks.my-task` as it stands in the text
    pattern = re.compile(rf"(?<![\w.$-]){_EXPRESSION_ROOTS[section]}\.({re.escape(old)})(?![\w-])")
    edits += [Edit(Place(key.source, *match.span(1)), new) for match in pattern.finditer(key.source.text)]
    unique = {(edit.place.start, edit.place.end): edit for edit in edits}
    return Fix(f"rename to `{new}`", tuple(unique[span] for span in sorted(unique)))


def _is_written_as(place: Place, old: str) -> bool:
    return place.source.text[place.start : place.end].strip("\"'") == old


def _uses(data: dict[Any, Any], old: str) -> list[Path]:
    tasks = data.get("tasks")
    found: list[Path] = []
    for name, task in tasks.items() if isinstance(tasks, dict) else ():
        if isinstance(task, dict):
            found += [("tasks", name, *rest) for rest in _uses_in(task, old)]
    return found


def _uses_in(task: dict[Any, Any], old: str) -> list[Path]:
    found: list[Path] = []
    for key in EDGE_KEYS:
        for index, edge in enumerate(_list(task.get(key))):
            if edge == old:
                found.append((key, index))
            elif isinstance(edge, dict) and edge.get("task") == old:
                found.append((key, index, "task"))
    for number, arm in enumerate(_list(task.get("branch"))):
        for key in ("then", "else"):
            named = arm.get(key) if isinstance(arm, dict) else None
            found += [("branch", number, key, index) for index, name in enumerate(_list(named)) if name == old]
    switch = task.get("switch")
    if isinstance(switch, dict):
        cases = switch.get("cases")
        for case, named in cases.items() if isinstance(cases, dict) else ():
            found += [("switch", "cases", case, index) for index, name in enumerate(_list(named)) if name == old]
        found += [("switch", "default", i) for i, name in enumerate(_list(switch.get("default"))) if name == old]
    again = task.get("retry_upstream")
    if isinstance(again, dict):
        found += [("retry_upstream", "tasks", i) for i, name in enumerate(_list(again.get("tasks"))) if name == old]
    return found


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
