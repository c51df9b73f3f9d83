"""A forecast as JSON. Times are RFC 3339 in UTC, durations seconds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from engine.forecast.model import Forecast
from engine.outcomes import Json

SCHEMA_VERSION = 1


def to_json(forecast: Forecast) -> dict[str, Json]:
    """The forecast as plain values, `schema_version` first, then the fields of `Forecast`."""
    return {"schema_version": SCHEMA_VERSION, **_record(forecast)}


def _record(record: Struct) -> dict[str, Json]:
    return {name: _plain(getattr(record, name)) for name in record.__struct_fields__}


def _plain(value: Any) -> Json:
    """Lists for tuples and maps for our records, which nest three deep; parameter values are JSON already."""
    if isinstance(value, tuple):
        return [_plain(element) for element in value]
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Struct):
        return _record(value)
    plain: Json = value
    return plain
