"""What pydantic says about a flow, said in the words of this language: one finding for each cause.

pydantic reports each alternative of a union by itself, with the names of the alternatives in its paths; here they are put
together again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from pydantic_core import ErrorDetails

from specs.diagnostics import Edit, Fix
from specs.fields import bounds_at, choices_at, is_list_at, keys_at, models_at
from specs.findings import Findings, Placing, replacing
from specs.foreign import flow_text, wrapped
from specs.model import FlowSpec
from specs.model.values import suggest_id
from specs.renames import rename_fix
from specs.scalars import shortened, written_form
from specs.suggest import did_you_mean, listed, nearest

Path = tuple[Any, ...]

MOST = 20_000
"""Errors translated; nobody reads more, and the rest is known by its count."""

USED_UP = ("include", "defaults", "templates")
"""Keys of a flow that the model no longer sees."""

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "`true` or `false`",
    "list_type": "a list",
    "dict_type": "a map",
    "model_type": "a map",
}
_TRUTHS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_BOUNDS = frozenset({"greater_than", "greater_than_equal", "less_than", "less_than_equal"})


class _Error(Struct, frozen=True):
    """One error of pydantic with its path in the data, and in the model (where a short form stands for a map)."""

    kind: str
    path: Path
    in_model: Path
    is_key: bool
    value: Any
    message: str
    context: Mapping[str, Any]


class SchemaErrors:
    """Translates the errors of one validation.

    Args:
        data: what was validated.
        places: finds places of paths, below `prefix`.
        findings: takes the findings.
        root: the model that was validated.
        prefix: the path of `data` in its file.
        meant: keys at the top that are there under another name, which has been reported.
    """

    def __init__(
        self,
        data: Any,
        *,
        places: Placing,
        findings: Findings,
        root: Any = FlowSpec,
        prefix: Path = (),
        meant: frozenset[str] = frozenset(),
    ) -> None:
        self._data = data
        self._places = places
        self._findings = findings
        self._root = root
        self._prefix = prefix
        self._meant = meant

    def report(self, errors: Sequence[ErrorDetails]) -> None:
        """Record what the errors mean, in any order."""
        groups: dict[tuple[Path, bool], list[_Error]] = defaultdict(list)
        for details in errors[:MOST]:
            error = self._read(details)
            groups[error.path, error.is_key].append(error)
        parents = {path[:length] for path, _ in groups for length in range(len(path))}
        for (path, is_key), group in groups.items():
            # another alternative of a union was right about the type and found something deeper
            if path in parents and not is_key and all(error.kind in _EXPECTED for error in group):
                continue
            self._report_group(group)

    def _read(self, details: ErrorDetails) -> _Error:
        value, path, in_model, is_key = self._data, [], [], False
        location = details["loc"]
        for number, part in enumerate(location):
            if part == "[key]" and number == len(location) - 1:
                is_key = True
                continue
            key = _matching(value, part)
            if key is not None:
                value = value[key]
                path.append(key)
                in_model.append(key)
            elif part in keys_at(tuple(in_model), self._root):
                in_model.append(part)
                if details["type"] == "missing":
                    path.append(part)
        kind = details["type"]
        if kind == "FLOW117" and not is_key and not isinstance(details["input"], str):
            kind = "string_type"
        return _Error(
            kind, tuple(path), tuple(in_model), is_key, details["input"], details["msg"],
            details.get("ctx", {}),
        )  # fmt: skip

    def _report_group(self, group: list[_Error]) -> None:
        kinds = {error.kind: error for error in group}
        custom = next((error for error in group if error.kind.startswith("FLOW")), None)
        if _is_expression(group[0]):
            name = next((str(part) for part in reversed(group[0].path) if isinstance(part, str)), "this")
            message = f"`{shortened(name)}` takes no expression"
            self._add("FLOW341", group[0], message, help_="write the value itself; it is read before anything runs")
        elif custom is not None:
            self._custom(custom)
        elif "missing" in kinds:
            self._missing(kinds["missing"])
        elif "extra_forbidden" in kinds:
            self._unknown_key(kinds["extra_forbidden"])
        elif not _BOUNDS.isdisjoint(kinds):
            self._out_of_bounds(next(error for error in group if error.kind in _BOUNDS))
        elif "literal_error" in kinds and isinstance(kinds["literal_error"].value, str):
            self._no_choice(kinds["literal_error"])
        elif any(kind in _EXPECTED or kind == "literal_error" for kind in kinds):
            self._wrong_type(group)
        elif "too_short" in kinds:
            self._too_short(kinds["too_short"])
        else:
            error = group[0]
            self._add("FLOW120", error, error.message[:1].lower() + error.message[1:])

    # --- one kind each ---

    def _custom(self, error: _Error) -> None:
        if error.kind == "FLOW117":
            self._no_name(error)
            return
        meant = error.context.get("fix")
        fix = replacing(f"write `{meant}`", self._place(error), meant) if meant and not error.is_key else None
        self._add(error.kind, error, error.message, help_=error.context.get("help"), fix=fix)

    def _no_name(self, error: _Error) -> None:
        if not error.is_key and self._is_reported_as_key(error):
            return
        text = written_form(error.value) or "null"
        what, form = error.context["what"], error.context["form"]
        fixed = suggest_id(text)
        fix: Fix | None = None
        if what == "an id" and error.is_key and not self._prefix:
            fix = rename_fix(self._data, error.path, fixed, self._places)
        message = f"`{shortened(text)}` is not {what}"
        self._add("FLOW117", error, message, help_=f"{form}; for example `{fixed}`", fix=fix)

    def _is_reported_as_key(self, error: _Error) -> bool:
        """A name that is wrong where it is defined is reported there, not at each use."""
        tasks = self._data.get("tasks") if isinstance(self._data, dict) else None
        return isinstance(tasks, dict) and error.path[:1] == ("tasks",) and error.value in tasks

    def _missing(self, error: _Error) -> None:
        if len(error.path) == 1 and error.path[0] in self._meant:
            return
        help_ = "begin with `version: 1`" if error.path == ("version",) else None
        self._add("FLOW111", error, f"`{error.path[-1]}` is missing", help_=help_)

    def _unknown_key(self, error: _Error) -> None:
        known = list(keys_at(error.in_model[:-1], self._root))
        if self._root is FlowSpec and len(error.path) == 1:
            known += USED_UP
        key = str(error.path[-1])
        place = self._place(error, is_key=True)
        near = nearest(key, known)
        siblings = self._value(error.path[:-1])
        fix = replacing(f"write `{near}`", place, near) if near and near not in siblings else None
        path = (*self._prefix, *error.path)
        help_ = did_you_mean(key, known)
        self._findings.add("FLOW110", place, f"unknown key `{shortened(key)}`", path=path, help_=help_, fix=fix)

    def _out_of_bounds(self, error: _Error) -> None:
        lower, upper = bounds_at(error.in_model, self._root)
        shown = written_form(error.value)
        if lower is not None and upper is not None:
            message = f"{shown} is not between {lower} and {upper}"
        else:
            message = f"{shown} is less than {lower}" if lower is not None else f"{shown} is more than {upper}"
        self._add("FLOW119", error, message)

    def _too_short(self, error: _Error) -> None:
        name = error.path[-1] if error.path else "it"
        if error.path == ("tasks",):
            self._add("FLOW111", error, "`tasks` is empty: a flow needs at least one task")
        else:
            self._add("FLOW119", error, f"`{name}` is empty: at least one element is needed")

    def _no_choice(self, error: _Error) -> None:
        choices = choices_at(error.in_model, self._root)
        near = nearest(error.value, choices)
        fix = replacing(f"write `{near}`", self._place(error), near) if near else None
        message = f"`{shortened(error.value)}` is none of {listed(choices)}"
        self._add("FLOW113", error, message, help_=f"did you mean `{near}`?" if near else None, fix=fix)

    def _wrong_type(self, group: list[_Error]) -> None:
        error = group[0]
        if error.is_key:
            text = written_form(error.value) or "nothing"
            place = self._place(error)
            quoted = replacing("put it in quotes", place, f'"{text}"')
            message = f"expected text as a key, found {_found(error.value)}"
            self._add("FLOW112", error, message, help_="put it in quotes", fix=quoted)
        elif not self._lone_value(error):
            help_, fix = self._way_out(error)
            self._add(
                "FLOW112", error, f"expected {self._expected(group)}, found {_found(error.value)}", help_=help_, fix=fix
            )

    def _lone_value(self, error: _Error) -> bool:
        """Report a value that stands where a map belongs, when it is certain which key it is meant for."""
        for model in models_at(error.in_model, self._root):
            form = wrapped(model.__name__, error.value)
            if form is not None:
                name = error.path[-1]
                written = f"{name}: {flow_text(error.value)}"
                # of `retry: 3` nobody can tell whether it counts the first attempt
                is_retry = model.__name__ == "RetrySpec"
                fix = None if is_retry else replacing(f"write `{form}`", self._place(error), form)
                help_ = "`attempts` counts all attempts, the first included" if is_retry else None
                message = (
                    f"`{shortened(written, 60)}` is not accepted; the one form is `{shortened(f'{name}: {form}', 80)}`"
                )
                self._add("FLOW129", error, message, help_=help_, fix=fix)
                return True
        return False

    def _way_out(self, error: _Error) -> tuple[str | None, Fix | None]:
        value = error.value
        place = self._place(error)
        text = place.source.text[place.start : place.end]
        if is_list_at(error.in_model, self._root) and isinstance(value, str) and "\n" not in text:
            if error.path[-1] == "exec":
                words = flow_text(value.split())
                return f"one element is one argument: `{shortened(words, 60)}`", None
            return f"write `[{shortened(text)}]`", Fix("make it a list", (Edit(place, f"[{text}]"),))
        if error.kind == "bool_type" and isinstance(value, str) and value.lower() in _TRUTHS:
            truth = _TRUTHS[value.lower()]
            return f"write `{truth}`", replacing(f"write `{truth}`", place, truth)
        if error.kind == "string_type" and isinstance(value, int | float) and not isinstance(value, bool):
            return "put it in quotes", replacing("put it in quotes", place, f'"{text}"')
        if error.kind in ("int_type", "float_type") and isinstance(value, str):
            return "numbers are written without quotes" if text[:1] in "\"'" else None, None
        if error.kind in ("dict_type", "model_type") and isinstance(value, list) and error.path == ("tasks",):
            return "write each task as `ID:` with its keys below it", None
        return None, None

    def _expected(self, group: list[_Error]) -> str:
        words = []
        for error in group:
            if error.kind == "literal_error":
                words += [f"`{choice}`" for choice in choices_at(error.in_model, self._root)]
            elif error.kind in _EXPECTED:
                words.append(_EXPECTED[error.kind])
        unique = list(dict.fromkeys(words))
        return unique[0] if len(unique) == 1 else f"{', '.join(unique[:-1])} or {unique[-1]}"

    # --- places ---

    def _value(self, path: Path) -> Any:
        value = self._data
        for part in path:
            value = value[part]
        return value

    def _place(self, error: _Error, *, is_key: bool | None = None) -> Any:
        key = error.is_key if is_key is None else is_key
        path = error.path
        if error.kind == "missing" and path:  # the key of the map that lacks it
            path, key = path[:-1], bool(path[:-1] or self._prefix)
        return self._places.place((*self._prefix, *path), key=key)

    def _add(self, code: str, error: _Error, message: str, *, help_: str | None = None, fix: Fix | None = None) -> None:
        path = (*self._prefix, *error.path)
        place = self._place(error)
        if error.kind == "missing" and not error.path[:-1] and not self._prefix:
            place = type(place)(place.source, place.start, place.start)  # the whole file would be marked
        self._findings.add(code, place, message, path=path, help_=help_, fix=fix)


def _matching(value: Any, part: Any) -> Any:
    """The key or index of `value` that pydantic calls `part`, `None` when `part` is the name of an alternative."""
    if isinstance(value, list):
        return part if isinstance(part, int) and 0 <= part < len(value) else None
    if not isinstance(value, dict):
        return None
    if part in value:
        return part
    return next((key for key in value if not isinstance(key, str) and str(key) == part), None)


def _is_expression(error: _Error) -> bool:
    return (
        isinstance(error.value, str) and "${{" in error.value and not error.is_key and error.kind != "extra_forbidden"
    )


def _found(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return "a map" if isinstance(value, dict) else "a list"
    if isinstance(value, str):
        return f"the text `{shortened(value)}`"
    return f"`{written_form(value)}`"
