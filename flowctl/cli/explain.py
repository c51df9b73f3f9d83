"""`flowctl explain`: what a code of a finding, or a field of the language, means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flowctl.cli.exits import Exit
from flowctl.cli.group import frame_of
from flowctl.problems import UsageProblem

if TYPE_CHECKING:
    from flowctl.explanations import Explanation
    from specs.codes import CodeInfo

ANY_NAME = "NAME"
"""What stands in a path for a name that the author gives: `tasks.NAME.retry`."""


def explain_command(
    ctx: typer.Context,
    what: Annotated[
        str, typer.Argument(metavar="CODE|FIELD", help="FLOW201, or a field such as tasks.retry.attempts.")
    ],
) -> int:
    """Explain a code of a finding, with a wrong and a right example, or a field of the language.

    A field is named by its keys; names that are yours may be left out.
    """
    frame = frame_of(ctx)
    code = what.strip().upper()
    if code.startswith("FLOW") and code[4:].isdigit():
        frame.put("\n".join(_of_code(code)))
    else:
        frame.put("\n".join(_of_field(what.strip())))
    return Exit.SUCCESS


# --- codes ------------------------------------------------------------------------------------------------------------


def _of_code(code: str) -> Iterator[str]:
    from flowctl.explanations import explanation
    from specs.codes import CODES
    from specs.suggest import did_you_mean

    found = explanation(code)
    if found is None:
        raise UsageProblem(f"there is no code `{code}`", hint=did_you_mean(code, CODES))
    yield f"{_kind(found.info)}[{code}]: {found.info.title}"
    yield ""
    yield found.text
    yield from _examples(found)


def _kind(info: CodeInfo) -> str:
    return f"{info.severity.value}, off unless asked for" if info.opt_in else info.severity.value


def _examples(found: Explanation) -> Iterator[str]:
    for name, text in found.files.items():
        yield from _block(f"Beside the flow stands {name}:", text)
    for title, flow in (("Wrong:", found.wrong), ("Right:", found.right)):
        if flow is not None:
            yield from _block(title, flow)


def _block(title: str, text: str) -> Iterator[str]:
    yield ""
    yield title
    yield ""
    for line in text.rstrip("\n").split("\n"):
        yield f"    {line}".rstrip()


# --- fields -----------------------------------------------------------------------------------------------------------


def _of_field(text: str) -> Iterator[str]:
    path = _path_of(text)
    yield _written(path)
    line = _line(path[:-1], path[-1])
    if line is not None:
        yield f"    {line}"
    yield from _shape(path)
    inside = path if _keys(path) else (*path, None)
    keys = _keys(inside)
    if keys:
        yield ""
        yield "Keys:" if inside == path else "Keys of each:"
        width = max(map(len, keys))
        for each in keys:
            yield f"    {each.ljust(width)}  {_line(inside, each) or ''}".rstrip()


_Path = tuple[str | None, ...]


def _path_of(text: str) -> _Path:
    """The path that a text means; raises `UsageProblem` with the nearest field."""
    from specs.suggest import did_you_mean

    words = [word for word in text.replace("[]", "").split(".") if word]
    if not words:
        raise UsageProblem("no field is named", hint="for example `tasks.retry.attempts`")
    path = _followed((), words) or _followed(("tasks", None), words)
    if path is not None:
        return path
    good: _Path = ()
    for count in range(len(words) - 1, 0, -1):
        good = _followed((), words[:count]) or _followed(("tasks", None), words[:count]) or ()
        if good:
            break
    asked = words[len([part for part in good if part in words])] if good else words[0]
    known = (*_keys(good), *(() if good else _keys(("tasks", None))))
    where = f" of `{_written(good)}`" if good else ""
    raise UsageProblem(f"there is no field `{asked}`{where}", hint=did_you_mean(asked, known))


def _written(path: _Path) -> str:
    return ".".join(part or ANY_NAME for part in path)


def _followed(start: _Path, words: list[str]) -> _Path | None:
    path = start
    for word in words:
        names: _Path
        for names in ((), (None,), (None, None)):
            if word in _keys((*path, *names)):
                path = (*path, *names, word)
                break
        else:
            # a name of the author's own, written out
            if not path or path[-1] is None or not _keys((*path, None)):
                return None
            path = (*path, None)
    return path


def _real(path: _Path) -> tuple[Any, ...]:
    """The path in the model: templates and defaults are parts of tasks; the entries of a list have numbers."""
    if path[:1] == ("defaults",):
        path = ("tasks", None, *path[1:])
    if path[:1] == ("templates",):
        path = ("tasks", *path[1:])
    return tuple("any" if part is None else part for part in path)


def _keys(path: _Path) -> tuple[str, ...]:
    from specs.descriptions import LIBRARY_DESCRIPTIONS
    from specs.fields import keys_at

    return (*keys_at(()), *LIBRARY_DESCRIPTIONS) if not path else keys_at(_map(path))


def _map(path: _Path) -> tuple[Any, ...]:
    """The path of the map that stands there, or of the maps in the list that does."""
    from specs.fields import is_list_at, models_at

    real = _real(path)
    return (*real, 0) if is_list_at(real) and not models_at(real) else real


def _line(owner: _Path, key: str | None) -> str | None:
    from specs.descriptions import LIBRARY_DESCRIPTIONS, description_of
    from specs.fields import models_at

    if key is None:
        return None
    if not owner and key in LIBRARY_DESCRIPTIONS:
        return LIBRARY_DESCRIPTIONS[key]
    return next((line for model in models_at(_map(owner)) if (line := description_of(model, key)) is not None), None)


def _shape(path: _Path) -> Iterator[str]:
    """What may stand there: words, bounds, the default."""
    from specs.fields import bounds_at, choices_at

    choices = choices_at(_real(path))
    if choices:
        yield f"    one of: {', '.join(choices)}"
    least, most = bounds_at(_real(path))
    if least is not None or most is not None:
        bounds = " to ".join(str(bound) for bound in (least, most) if bound is not None)
        yield f"    {bounds}{' or more' if most is None else ''}"
    default = _default(path)
    if default is not None:
        yield f"    default: {default}"


def _default(path: _Path) -> str | None:
    from specs.fields import models_at
    from specs.scalars import written_form

    for model in models_at(_map(path[:-1])):
        for name, field in model.model_fields.items():
            if (field.alias or name) == path[-1] and isinstance(field.default, str | int | float):
                return written_form(field.default)
    return None
