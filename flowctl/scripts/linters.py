"""What shellcheck and ruff say of scripts: one call for all scripts, their JSON read with care."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from msgspec import Struct

from flowctl.scripts.tools import ToolFailed, ask, written

_SHEBANGS: Mapping[str, str] = {"sh": "#!/bin/sh -eu\n", "bash": "#!/bin/bash -eu\n"}
# about the line that names the interpreter; about files that are not there; FLOW705 knows of `env` and this does not
_SHELLCHECK_LEAVES_OUT = "SC1009,SC1072,SC1128,SC2148,SC1090,SC1091,SC2154"


class Remark(Struct, frozen=True):
    """What a linter says of the part of a script between two places, lines and columns from 1, the end exclusive."""

    code: str
    message: str
    line: int
    column: int
    end_line: int
    end_column: int
    is_minor: bool = False


def shellcheck(
    program: str, scripts: Sequence[tuple[str, str]], environ: Mapping[str, str]
) -> dict[tuple[str, str], list[Remark]]:
    """What shellcheck says of scripts given as (language, text). Raises `ToolFailed`."""
    texts = [_SHEBANGS[language] + text for language, text in scripts]
    with written(texts, suffix=".sh") as (folder, names):
        argv = (program, "--norc", "--format=json1", f"--exclude={_SHELLCHECK_LEAVES_OUT}", *names)
        answer = ask(argv, environ, folder=folder)
    found: dict[tuple[str, str], list[Remark]] = {}
    for entry in _list(_parsed(answer.out), "comments"):
        remark = Remark(
            code=f"SC{entry['code']}",
            message=str(entry["message"]),
            line=int(entry["line"]) - 1,  # the line that names the interpreter is ours
            column=int(entry["column"]),
            end_line=int(entry["endLine"]) - 1,
            end_column=int(entry["endColumn"]),
            is_minor=entry.get("level") in ("info", "style"),
        )
        if remark.line >= 1:
            found.setdefault(scripts[_number(entry["file"], len(scripts))], []).append(remark)
    return found


def ruff(program: str, scripts: Sequence[str], environ: Mapping[str, str]) -> dict[str, list[Remark]]:
    """What ruff says of Python scripts that can be compiled. Raises `ToolFailed`."""
    with written(scripts, suffix=".py") as (folder, names):
        options = ("--isolated", "--no-cache", "--output-format=json", "--select=F,B", "--exit-zero", "--quiet")
        answer = ask((program, "check", *options, *names), environ, folder=folder)
    found: dict[str, list[Remark]] = {}
    for entry in _list({"found": _parsed(answer.out)}, "found"):
        code = entry.get("code")
        if not isinstance(code, str) or not code[-1:].isdigit():
            continue  # syntax, of which FLOW703 speaks
        start, end = entry["location"], entry["end_location"]
        remark = Remark(
            code, str(entry["message"]), int(start["row"]), int(start["column"]), int(end["row"]), int(end["column"])
        )
        found.setdefault(scripts[_number(entry["filename"], len(scripts))], []).append(remark)
    return found


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ToolFailed("its answer cannot be read") from error


def _list(answer: Any, key: str) -> Iterator[dict[str, Any]]:
    entries = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(entries, list):
        raise ToolFailed("its answer cannot be read")
    return (entry for entry in entries if isinstance(entry, dict))


def _number(name: object, count: int) -> int:
    """The number of a script by the name of its file."""
    stem = PurePath(str(name)).stem
    if not stem.isdigit() or int(stem) >= count:
        raise ToolFailed("its answer cannot be read")
    return int(stem)
