"""What a failed attempt says about itself: the `FLOW_CONTROL` file, and patterns found in its own output."""

from __future__ import annotations

import math
import re

from msgspec.structs import replace

from engine.attempts import Launch
from engine.outcomes import Failure, Json
from engine.runners.endings import one_line, read_regular, read_tail
from engine.values import parse_json

_CONTROL_BYTES = 64 * 1024
_SEARCHED_BYTES = 1 << 20
_LONGEST_WAIT_S = 10 * 366 * 86_400
_REFUSED = 75  # EX_TEMPFAIL, the exit code that goes with `rate_limited`


def add_signs(failure: Failure, launch: Launch) -> tuple[Failure, tuple[str, ...]]:
    """`failure` with what the attempt asked for and what its output showed; and notes on what could not be understood."""
    notes: list[str] = []
    failure = _with_control(failure, _read_control(launch, notes), notes)
    if launch.patterns:
        failure = replace(failure, matched=_matches(launch, notes))
    return failure, tuple(notes)


def _matches(launch: Launch, notes: list[str]) -> tuple[str, ...]:
    text = read_tail(launch.files.log, _SEARCHED_BYTES)
    found = []
    for pattern in launch.patterns:
        try:
            if re.search(pattern, text):
                found.append(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            notes.append(f"the pattern `{one_line(pattern)}` cannot be used: {one_line(str(error))}")
    return tuple(found)


def _read_control(launch: Launch, notes: list[str]) -> dict[str, Json]:
    try:
        data = read_regular(launch.files.control, _CONTROL_BYTES + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        notes.append(f"`FLOW_CONTROL` was ignored: {(error.strerror or str(error)).lower()}")
        return {}
    try:
        if len(data) > _CONTROL_BYTES:
            raise ValueError(f"it is longer than {_CONTROL_BYTES} bytes")
        text = data.decode()
        value = parse_json(text) if text.strip() else {}
        if not isinstance(value, dict):
            raise ValueError("it is not a JSON object")
    except UnicodeDecodeError:
        notes.append("`FLOW_CONTROL` was ignored: it is not UTF-8")
        return {}
    except ValueError as error:
        notes.append(f"`FLOW_CONTROL` was ignored: {one_line(str(error))}")
        return {}
    return value


def _with_control(failure: Failure, control: dict[str, Json], notes: list[str]) -> Failure:
    for key, value in control.items():
        match key, value:
            case (("rate_limited" | "rate_limit"), bool()):
                if value and failure.exit_code != _REFUSED:
                    notes.append(f"`{key}` in `FLOW_CONTROL` counts only with exit code {_REFUSED}")
                elif value:
                    failure = replace(failure, rate_limited=True)
            case "retry_after", int() | float() if _is_wait(value):
                failure = replace(failure, retry_after_s=float(value))
            case "retry_upstream", list() if all(isinstance(task, str) for task in value):
                failure = replace(failure, asks_upstream=tuple(str(task) for task in value))
            case (("rate_limited" | "rate_limit" | "retry_after" | "retry_upstream"), _):
                notes.append(f"`{key}` in `FLOW_CONTROL` was ignored: it has no fitting value")
            case _:
                notes.append(f"`{one_line(key)}` in `FLOW_CONTROL` is not known")
    return failure


def _is_wait(value: int | float) -> bool:
    return not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= _LONGEST_WAIT_S
