"""The declared outputs of an attempt: gathered from files, streams or a returned value, and checked (`LANGUAGE.md` 3)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from engine.attempts import Launch
from engine.outcomes import Json
from engine.plan import Output
from engine.runners.endings import one_line, read_regular
from engine.values import check_value, convert_text, describe, parse_json, require_json


class BadOutput(Exception):
    """An output is missing, repeated, undeclared, of the wrong type or too large; `str()` names it."""


def read_outputs(launch: Launch, *, exit_code: int, streams: Mapping[str, str]) -> dict[str, Json]:
    """The outputs of a process that succeeded, in the order of their declaration. Raises `BadOutput`."""
    found = _Found(launch.outputs)
    _from_lines(_read(launch.files.output, "FLOW_OUTPUT", launch.output_limit_bytes), found)
    _from_object(_read(launch.files.output_json, "FLOW_OUTPUT_JSON", launch.output_limit_bytes), found)
    for name, output in launch.outputs.items():
        if output.source == "exit_code":
            found.add_text(name, str(exit_code))
        elif output.source in streams:
            text = _read(streams[output.source], output.source, launch.output_limit_bytes, extra=1)
            found.add_text(name, _without_line_end(text or ""))
    return found.complete(launch.output_limit_bytes)


def check_returned(launch: Launch, value: Json) -> dict[str, Json]:
    """The output of a callable that returned `value`: a map with the declared outputs as keys, or, when none is
    declared, `value` itself if it is a map, else under the key `value`. Raises `BadOutput`."""
    if not launch.outputs:
        output: dict[str, Json] = {"value": value}
        if value is None or isinstance(value, dict):
            output = value or {}
        _require_size(output, launch.output_limit_bytes)
        return output
    if not isinstance(value, dict):
        raise BadOutput(f"outputs are declared, so a map is expected; {describe(value)} was returned")
    found = _Found(launch.outputs)
    for name, one in value.items():
        found.add_value(name, one)
    return found.complete(launch.output_limit_bytes)


def check_whole(launch: Launch, value: Json) -> dict[str, Json]:
    """The output of a connector: all it returned, with the declared outputs checked. Raises `BadOutput`."""
    if not isinstance(value, dict):
        raise BadOutput(f"a connector's output is a map; {describe(value)} was returned")
    found = _Found(launch.outputs)
    for name in launch.outputs:
        if name in value:
            found.add_value(name, value[name])
    output = {**value, **found.complete(launch.output_limit_bytes)}
    _require_size(output, launch.output_limit_bytes)
    return output


class _Found:
    """Outputs as they are found; each may come once."""

    def __init__(self, declared: Mapping[str, Output]) -> None:
        self._declared = declared
        self._values: dict[str, Json] = {}

    def add_text(self, name: str, text: str) -> None:
        self._add(name, lambda spec: convert_text(text, spec.type, spec.items))

    def add_value(self, name: str, value: Json) -> None:
        self._add(name, lambda spec: check_value(value, spec.type, spec.items))

    def complete(self, limit_bytes: int) -> dict[str, Json]:
        for name, spec in self._declared.items():
            if name not in self._values and not spec.optional:
                raise BadOutput(f"output `{name}` is missing: {_how_to_give(name, spec)}")
        ordered = {name: self._values[name] for name in self._declared if name in self._values}
        _require_size(ordered, limit_bytes)
        return ordered

    def _add(self, name: str, convert: Callable[[Output], Json]) -> None:
        spec = self._declared.get(name)
        if spec is None:
            known = ", ".join(f"`{one}`" for one in list(self._declared)[:10]) or "none"
            raise BadOutput(f"output `{one_line(name, 80)}` is not declared; declared are: {known}")
        if name in self._values:
            raise BadOutput(f"output `{name}` is given twice")
        try:
            self._values[name] = convert(spec)
        except ValueError as error:
            raise BadOutput(f"output `{name}` is no `{spec.type}`: {one_line(str(error))}") from None


def _how_to_give(name: str, spec: Output) -> str:
    if spec.source == "file":
        return f"write `{name}=...` to `$FLOW_OUTPUT`, return it, or declare it `optional`"
    return f"it comes from {spec.source}"


def _from_lines(text: str | None, found: _Found) -> None:
    for number, line in enumerate((text or "").split("\n"), 1):
        if not line:
            continue
        name, equals, value = line.partition("=")
        if not equals:
            raise BadOutput(
                f"line {number} of `FLOW_OUTPUT` is neither `name=text` nor `name:=json`: `{one_line(line, 80)}`"
            )
        if name.endswith(":"):
            found.add_value(name[:-1], _json(value, f"output `{one_line(name[:-1], 80)}`"))
        else:
            found.add_text(name, value)


def _from_object(text: str | None, found: _Found) -> None:
    if text is None or not text.strip():
        return
    value = _json(text, "`FLOW_OUTPUT_JSON`")
    if not isinstance(value, dict):
        raise BadOutput(f"`FLOW_OUTPUT_JSON` must hold a JSON object, not {describe(value)}")
    for name, one in value.items():
        found.add_value(name, one)


def _json(text: str, what: str) -> Json:
    try:
        return parse_json(text)
    except ValueError as error:
        raise BadOutput(f"{what} is {one_line(str(error))}") from None


def _read(path: str, what: str, limit_bytes: int, *, extra: int = 0) -> str | None:
    try:
        data = read_regular(path, limit_bytes + extra + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadOutput(f"`{what}` cannot be read: {(error.strerror or str(error)).lower()}") from error
    if len(data) > limit_bytes + extra:
        raise BadOutput(f"`{what}` is longer than {limit_bytes} bytes, the limit of `limits.output_bytes`")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BadOutput(f"`{what}` is not UTF-8: byte {error.start} cannot be read") from None


def _without_line_end(text: str) -> str:
    return text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")


def _require_size(output: Mapping[str, Json], limit_bytes: int) -> None:
    try:
        require_json(output)
    except ValueError as error:
        raise BadOutput(f"the output cannot be kept: {one_line(str(error))}") from None
    size = len(json.dumps(output, ensure_ascii=False).encode())
    if size > limit_bytes:
        raise BadOutput(f"the output has {size} bytes, more than {limit_bytes}, the limit of `limits.output_bytes`")
