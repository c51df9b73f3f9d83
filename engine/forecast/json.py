"""A forecast as JSON. Times are RFC 3339 in UTC, durations seconds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from engine.forecast.model import Forecast
from engine.outcomes import Json

SCHEMA_VERSION = 1
TASKS_AT_ONCE = 1000


def json_parts(forecast: Forecast) -> Iterator[str]:
    """The forecast as the text of one object, in parts: `schema_version` first, then the fields of `Forecast`.

    Tasks, of which there may be very many, are written by msgspec; all else by the standard library, since parameters hold
    numbers that keep their written form.
    """
    yield f'{{"schema_version":{SCHEMA_VERSION}'
    for name in forecast.__struct_fields__:
        yield f',"{name}":'
        yield from _tasks(forecast) if name == "tasks" else (_text(getattr(forecast, name)),)
    yield "}"


def _tasks(forecast: Forecast) -> Iterator[str]:
    encoder = msgspec.json.Encoder()
    yield "["
    for first in range(0, len(forecast.tasks), TASKS_AT_ONCE):
        inner = encoder.encode(forecast.tasks[first : first + TASKS_AT_ONCE])[1:-1].decode()
        yield f",{inner}" if first else inner
    yield "]"


def _text(value: Any) -> str:
    return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))


def _plain(value: Any) -> Json:
    """Lists for tuples and maps for our records; parameter values are JSON already."""
    if isinstance(value, tuple):
        return [_plain(element) for element in value]
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    plain: Json = value
    return plain
