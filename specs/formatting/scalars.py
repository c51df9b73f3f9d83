"""How a single value is written: plain where every reader agrees, in quotes where not, block scalars as they are."""

from __future__ import annotations

import json
import re

from specs.formatting.tree import Scalar
from specs.scalars import NumberError, resolve

_PLAIN = re.compile(r"[^\s\-?:,\[\]{}#&*!|>'\"%@`=~<]|-(?=[^\s,\[\]{}\-.0-9])")
"""What plain text may begin with."""

_OTHER_READINGS = re.compile(
    r"(?i:y|n|yes|no|on|off|true|false|null|=|<<)"
    r"|[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-f_]+|[0-9][0-9_]*(?::[0-5]?[0-9])*(?:\.[0-9_]*)?(?:e[-+]?[0-9]+)?)"
    r"|[-+]?\.(?i:[0-9_]+(?:e[-+][0-9]+)?|inf|nan)"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t].*)?",
    re.ASCII,
)
"""Plain text that YAML 1.1 takes for something else: booleans, numbers with `_` or `:`, dates, `=`."""


def written(scalar: Scalar, *, in_flow: bool, is_key: bool = False) -> str:
    """A scalar that takes one line, in its one form."""
    value, style = scalar.value, scalar.style
    if not style:
        return scalar.raw if is_key or not _needs_quotes(value) else _quoted(value)
    if style in ("|", ">"):
        return json.dumps(value, ensure_ascii=False)  # only a key can be asked for in one line
    if "\\" in scalar.raw and style == '"':
        return scalar.raw  # escapes are as the author chose them
    if "${{" not in value and is_plain(value, in_flow=in_flow):
        return value
    return _quoted(value)


def is_plain(text: str, *, in_flow: bool) -> bool:
    """Whether `text` needs no quotes: it is read as this very text, here and by YAML 1.1 readers."""
    if not text.isprintable() or not _PLAIN.match(text) or text != text.strip() or text.startswith(("...", "---")):
        return False
    if ": " in text or " #" in text or text.endswith(":") or _OTHER_READINGS.fullmatch(text):
        return False
    if in_flow and not set(text).isdisjoint(",[]{}:?"):
        return False
    try:
        return isinstance(resolve(text), str)
    except NumberError:
        return False


def takes_lines(scalar: Scalar) -> bool:
    """Whether a scalar is written over several lines."""
    return scalar.style in ("|", ">") or "\n" in scalar.raw


def block_head(scalar: Scalar) -> str:
    """The indicators of a block scalar, for content indented by two columns more than its key or dash."""
    body = scalar.value if scalar.style == "|" else "\n".join(_raw_lines(scalar))
    indicators = scalar.style + ("2" if body.lstrip("\n")[:1] in (" ", "\t") else "")
    if not scalar.value.endswith("\n"):
        return indicators + "-"
    return indicators + ("+" if keeps_end(scalar) else "")


def keeps_end(scalar: Scalar) -> bool:
    """Whether the empty lines after a block scalar are part of it, so that none may be added."""
    return scalar.style in ("|", ">") and "+" in scalar.raw.split("\n", 1)[0].partition("#")[0]


def block_lines(scalar: Scalar, indent: str) -> list[str]:
    """The lines of a block scalar below its indicators."""
    lines = scalar.value.split("\n") if scalar.style == "|" else _raw_lines(scalar)
    if lines[-1:] == [""]:
        lines.pop()  # what follows the last line break
    while scalar.style == ">" and not keeps_end(scalar) and lines[-1:] == [""]:
        lines.pop()
    return [indent + line if line else "" for line in lines]


def _raw_lines(scalar: Scalar) -> list[str]:
    """The lines of a block scalar as they are written, without their indentation."""
    return [line[scalar.indent :] for line in scalar.raw.replace("\r\n", "\n").split("\n")[1:]]


def flowing_lines(scalar: Scalar, indent: str) -> list[str]:
    """The lines of a plain or quoted text that goes over several."""
    first, *rest = scalar.raw.replace("\r\n", "\n").split("\n")
    lines = [first, *(line.lstrip(" \t") for line in rest)]
    if scalar.style != '"':  # where a space before the line break may be escaped
        lines[:-1] = [line.rstrip(" \t") for line in lines[:-1]]
    return [lines[0], *(indent + line if line else "" for line in lines[1:])]


def _needs_quotes(value: str) -> bool:
    """Whether plain text is to be put in quotes: an expression, and text that YAML 1.1 reads in another way."""
    if "${{" in value:
        return True
    try:
        is_text = isinstance(resolve(value), str)
    except NumberError:
        is_text = True
    return is_text and _OTHER_READINGS.fullmatch(value) is not None


def _quoted(value: str) -> str:
    if '"' not in value and "\\" not in value and value.isprintable():
        return f'"{value}"'
    if value.replace("\t", "").isprintable():
        escaped = value.replace("'", "''")
        return f"'{escaped}'"
    return json.dumps(value, ensure_ascii=False)
