"""Filters on texts. Each gets the meter and asks it for room before it builds anything that may be larger than its input."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from pathlib import PurePosixPath
from urllib.parse import quote

from specs.expressions.budget import Meter
from specs.expressions.errors import EvaluationError
from specs.expressions.operations import written


def lower(meter: Meter, text: str) -> str:
    """Lower case, by Unicode and no locale."""
    meter.room(len(text))
    return text.lower()


def upper(meter: Meter, text: str) -> str:
    """Upper case, by Unicode and no locale."""
    meter.room(len(text))
    return text.upper()


def trim(_meter: Meter, text: str) -> str:
    """Without white space at both ends."""
    return text.strip()


def replace(meter: Meter, text: str, old: str, new: str) -> str:
    """Every `old` replaced by `new`."""
    if not old:
        raise EvaluationError("`replace` needs a text to look for")
    meter.room(len(text) + text.count(old) * max(0, len(new) - len(old)))
    return text.replace(old, new)


def split(meter: Meter, text: str, separator: str | None = None) -> list[str]:
    """The parts between separators; without one, the words between white space."""
    if separator == "":
        raise EvaluationError("`split` needs a separator that is not empty")
    meter.room(len(text) if separator is None else text.count(separator))
    return text.split(separator)


def join(meter: Meter, items: Sequence[object], separator: str = "") -> str:
    """The written forms of the elements with a separator between them."""
    parts: list[str] = []
    size = 0
    for item in items:
        part = written(item)
        size += len(part) + len(separator)
        meter.room(size - len(separator))
        parts.append(part)
    return separator.join(parts)


def basename(_meter: Meter, path: str) -> str:
    """The last part of a path: `c.txt` of `/a/b/c.txt`."""
    return PurePosixPath(path).name


def dirname(_meter: Meter, path: str) -> str:
    """A path without its last part: `/a/b` of `/a/b/c.txt`, `.` when there is only one."""
    return str(PurePosixPath(path).parent)


def stem(_meter: Meter, path: str) -> str:
    """The last part of a path without its last suffix: `c` of `/a/b/c.txt`."""
    return PurePosixPath(path).stem


def urlencode(meter: Meter, value: object) -> str:
    """Percent-encoded as one part of a URL: `/` too."""
    data = utf8(written(value))
    meter.room(len(data))
    encoded = quote(data, safe="")
    meter.room(len(encoded))
    return encoded


def sha256(_meter: Meter, text: str) -> str:
    """SHA-256 of the text's UTF-8, in hexadecimal."""
    return hashlib.sha256(utf8(text)).hexdigest()


def b64encode(meter: Meter, text: str) -> str:
    """Base64 of the text's UTF-8."""
    data = utf8(text)
    meter.room(len(data) * 4 // 3)
    return base64.b64encode(data).decode("ascii")


def b64decode(_meter: Meter, text: str) -> str:
    """The text whose UTF-8 this is the base64 of."""
    try:
        return base64.b64decode(text.encode("ascii"), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeError) as error:
        raise EvaluationError("`b64decode` got what is not the base64 of a text") from error


def utf8(text: str) -> bytes:
    """The UTF-8 of a text; refuses half a surrogate pair, which has none."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise EvaluationError("the text holds half a surrogate pair and has no UTF-8") from error
