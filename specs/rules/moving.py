"""Moving the expressions of a script into `env`: what to write, and the edits that write it where that is safe."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from specs.context import FlowContext, Path
from specs.diagnostics import Edit, Fix, Place
from specs.expressions.errors import ExpressionError
from specs.expressions.nodes import Expression, Template
from specs.expressions.references import references
from specs.expressions.report import place_of
from specs.expressions.scope import tasks_of
from specs.expressions.templates import CLOSING, OPENING, parse_template
from specs.expressions.uses import Use

_EXPANDING = frozenset({None, "sh", "bash"})


class Moved(Struct, frozen=True):
    """The way out of an expression in a script, and the fix when it is certain."""

    help: str
    fix: Fix | None


def move_to_env(context: FlowContext, use: Use) -> Moved:
    """What a script with expressions should be: each in `env`, read as `"$NAME"`."""
    try:
        template = parse_template(use.text)
    except ExpressionError:
        return Moved('give the value in `env: {VALUE: ...}` and read it as `"$VALUE"`', None)
    owner = tasks_of(context.flow, use.reader.hook)[use.reader.task]
    undo = use.reader.stage == "undo" and owner.undo is not None
    env = owner.undo.env if undo and owner.undo is not None else owner.env
    names = _names(template, taken=frozenset(env))
    first = next(iter(names.items()), None)
    if first is None:
        return Moved("write it without `${{ }}`", None)
    shown = f'`env: {{{first[1]}: "${{{{ {first[0]} }}}}"}}` and `"${first[1]}"`'
    fix = _fix(context, use, template, names) if _expands(owner.shell) and not undo else None
    return Moved(f"write {shown}", fix)


def _expands(shell: str | list[str] | None) -> bool:
    """Whether a script for this shell may read `$NAME`; of a list that is not told."""
    return not isinstance(shell, list) and shell in _EXPANDING


def _names(template: Template, taken: frozenset[str]) -> dict[str, str]:
    """An environment name for each expression: that of the last key it reads, in capitals."""
    names: dict[str, str] = {}
    used = set(taken)
    for part in template.parts:
        if isinstance(part, Expression) and part.text.strip() not in names:
            name = base = _name_of(part)
            number = 2
            while name in used:
                name, number = f"{base}_{number}", number + 1
            used.add(name)
            names[part.text.strip()] = name
    return names


def _name_of(expression: Expression) -> str:
    read = references(expression)
    word = (read[0].keys[-1] if read[0].keys else read[0].root) if read else "value"
    name = re.sub(r"[^A-Z0-9_]", "_", word.upper())
    safe = name[:1].isalpha() and not name.startswith("FLOW_") and name not in ("PATH", "HOME", "IFS", "ENV")
    return name if safe else f"VALUE_{name}".rstrip("_")


def _fix(context: FlowContext, use: Use, template: Template, names: Mapping[str, str]) -> Fix | None:
    """The edits, `None` where quoting cannot be told from the text or the task is not written in one place."""
    places = context.places
    if places.inherited(use.path) or any('"' in text or "\\" in text or "\n" in text for text in names):
        return None
    edits = []
    for part, offset in zip(
        [each for each in template.parts if isinstance(each, Expression)], template.offsets, strict=True
    ):
        start = offset - len(OPENING)
        quoting = _quoting(use.text[use.text.rfind("\n", 0, start) + 1 : start])
        place = place_of(context, use, (start, offset + len(part.text) + len(CLOSING)))
        if quoting == "'" or place is None:
            return None
        name = names[part.text.strip()]
        edits.append(Edit(place, f"${{{name}}}" if quoting else f'"${name}"'))
    entries = [f'{name}: "${{{{ {text} }}}}"' for text, name in names.items()]
    declaration = _declaration(context, use.path[:-1], entries)
    return None if declaration is None else Fix("move it to `env`", (declaration, *edits))


def _quoting(line: str) -> str:
    """The quote that is open at the end of the beginning of a line of shell."""
    quote = ""
    at = 0
    while at < len(line):
        character = line[at]
        if character == "\\" and quote != "'":
            at += 1
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        at += 1
    return quote


def _declaration(context: FlowContext, task: Path, entries: list[str]) -> Edit | None:
    """Write the entries before the first of `env`, or an `env` before `run`."""
    places = context.places
    owner = tasks_of(context.flow, str(task[1]) if task[0] == "hooks" else "")[str(task[-1])]
    first = next(iter(owner.env), None)
    if first is not None and places.inherited((*task, "env", first)):
        return None
    place = places.place((*task, "env", first) if first is not None else (*task, "run"), key=True)
    line, column = place.source.position(place.start)
    before = place.source.line(line)[: column - 1]
    separator = ", " if before.strip() else f"\n{before}"
    text = separator.join(entries) if first is not None else f"env: {{{', '.join(entries)}}}"
    return Edit(Place(place.source, place.start, place.start), text + separator)
