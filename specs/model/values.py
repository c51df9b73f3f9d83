"""Value types of the language: names, durations, sizes, rates and the like, each with its one written form.

Each type refuses with a `PydanticCustomError` whose type *is* the diagnostic code, so that the schema check reports it as
it stands. `help` in its context, when there, is the help line; `fix` the text that is certainly meant.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from msgspec import Struct
from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError, core_schema

from specs.quantities import DURATION_PATTERN, SIZE_PATTERN, format_duration, parse_duration, parse_rate, parse_size
from specs.scalars import shortened, written_form

ID_PATTERN = r"[a-z][a-z0-9_]{0,62}"
SECRET_PATTERN = r"[A-Za-z][A-Za-z0-9_]{0,62}"  # noqa: S105 - the form of a name, not a secret
NAME_PATTERN = r"[a-z0-9][a-z0-9_-]{0,62}"
ENVIRONMENT_PATTERN = r"[A-Za-z_][A-Za-z0-9_]*"


def refuse(code: str, message: str, **context: Any) -> PydanticCustomError:
    """The error a value type raises: `code` is the diagnostic's, `context` may hold `help` and `fix`."""
    # a placeholder for the whole message: braces in what an author wrote stay as they are
    return PydanticCustomError(code, "{message}", {**context, "message": message})


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    parsed = parse_duration(value) if isinstance(value, str) else None
    if parsed is not None:
        return parsed
    if isinstance(value, int) and not isinstance(value, bool):
        raise refuse("FLOW118", f"`{value}` is not a duration", help=f"add a unit: `{value}s`, `{value}m`")
    meant = _meant(value, _SPOKEN_DURATION, _UNIT_OF)
    if meant is not None:
        raise refuse("FLOW118", f"{_shown(value)} is not a duration", help=f"write `{meant}`", fix=meant)
    raise refuse("FLOW118", f"{_shown(value)} is not a duration", help="write for example `90s`, `5m`, `1h30m`")


def _size(value: object) -> int:
    parsed = parse_size(value) if isinstance(value, str) else None
    meant = _meant(value, _SPOKEN_SIZE, _SIZE_UNIT_OF) if parsed is None else None
    if meant is not None:
        raise refuse("FLOW118", f"{_shown(value)} is not a size", help=f"write `{meant}`", fix=meant)
    if parsed is None:
        raise refuse("FLOW118", f"{_shown(value)} is not a size", help="write for example `10MB` or `1MiB`")
    return parsed


_SPOKEN_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) *([A-Za-z]{1,12})")
_UNIT_OF = {
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("w", "week", "weeks"), "w"),
}
_SPOKEN_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) *([A-Za-z]{1,5})")
_SIZE_UNIT_OF = {
    **dict.fromkeys(("b", "byte", "bytes"), "B"),
    **{unit.lower(): unit for unit in ("kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB")},
    **{unit.lower(): f"{unit}B" for unit in ("Ki", "Mi", "Gi", "Ti")},
}


def _meant(value: object, spoken: re.Pattern[str], units: dict[str, str]) -> str | None:
    """The written form of a quantity whose unit is certain, though not ours: `5 min`, `10 mb`, `512Mi`."""
    match = spoken.fullmatch(value) if isinstance(value, str) else None
    unit = units.get(match[2].lower()) if match else None
    return f"{match[1]}{unit}" if match and unit else None


def _shown(value: object) -> str:
    """A value as messages name it: as it is written, lists and maps by their kind."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a map"
    text = written_form(value)
    return "nothing" if text is None else f"`{shortened(text)}`"


def suggest_id(text: str) -> str:
    """The nearest identifier to `text`: lower case, dashes and other characters as `_`."""
    fixed = re.sub(r"[^a-z0-9_]+", "_", text.lower()).strip("_")
    return fixed[:63] if re.match(r"[a-z]", fixed) else f"t_{fixed}"[:63]


class _Matching(Struct, frozen=True):
    """A text that matches a pattern as a whole, checked by pydantic itself, since a flow has tens of thousands of them.

    The error is FLOW117; its context holds `what` the text is not and the `form` it should have.
    """

    pattern: str
    what: str
    form: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.custom_error_schema(
            core_schema.str_schema(pattern=f"^{self.pattern}$", strict=True),
            custom_error_type="FLOW117",
            custom_error_message="not {what}",
            custom_error_context={"what": self.what, "form": self.form},
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{self.pattern}$"}


def _environment_name(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not re.fullmatch(ENVIRONMENT_PATTERN, value):
        raise refuse("FLOW124", f"{_shown(value)} is not an environment name", help="use letters, digits and `_`")
    if value.startswith("FLOW_"):
        raise refuse(
            "FLOW124", f"`{value}` is reserved: `FLOW_` names belong to the engine", help="choose another name"
        )
    return value


Id = Annotated[
    str, _Matching(ID_PATTERN, "an id", "write a lower-case letter, then letters, digits and `_`, at most 63")
]
"""A name that expressions can reach: task, parameter, output, matrix axis."""

SecretId = Annotated[
    str, _Matching(SECRET_PATTERN, "a secret's name", "write a letter, then letters, digits and `_`, at most 63")
]

Name = Annotated[str, _Matching(NAME_PATTERN, "a name", "write lower-case letters, digits, `_` and `-`, at most 63")]
"""A name no expression reaches: flow, trigger, pool, lock, connector, template, label."""

EnvironmentName = Annotated[
    str, BeforeValidator(_environment_name), WithJsonSchema({"type": "string", "pattern": f"^{ENVIRONMENT_PATTERN}$"})
]

Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{DURATION_PATTERN}$"}),
]

Size = Annotated[int, BeforeValidator(_size), WithJsonSchema({"type": "string", "pattern": f"^{SIZE_PATTERN}$"})]
"""A number of bytes."""


def _rate(value: object) -> float:
    parsed = parse_rate(value) if isinstance(value, str) else None
    if parsed is None:
        raise refuse("FLOW112", f"expected a rate, found {_shown(value)}", help="write for example `50/s` or `10/m`")
    return parsed


Rate = Annotated[
    float, BeforeValidator(_rate), WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?/(s|m|h|d)$"})
]
"""Operations per second, written `50/s`."""
