"""What the command line gives to a run: parameters and variables, from flags and from files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from engine.errors import BadParameters
from engine.outcomes import Json
from flowctl.cli.dotenv import load_environment_files
from flowctl.findings.text import Look, concise
from flowctl.problems import UsageProblem
from flowctl.reading import SPEC_BYTES, Unreadable, read_regular, shown_path

_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class GivenParameters(Struct, frozen=True):
    """Values as given; no name is in both. `texts` are converted by the declared type, `values` checked against it."""

    texts: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Json] = field(default_factory=dict)


def given_parameters(pairs: Sequence[str], *, file: Path | None = None) -> GivenParameters:
    """Parameters of `-p name=text` flags and of a YAML or JSON file; a flag wins over the file.

    Raises `BadParameters`, `UsageProblem` when the file cannot be read.
    """
    texts = _pairs(pairs, option="-p", what="parameter")
    values = read_parameters(file) if file is not None else {}
    return GivenParameters(texts, {name: value for name, value in values.items() if name not in texts})


def given_environment(pairs: Sequence[str], *, files: Iterable[Path], environ: Mapping[str, str]) -> Mapping[str, str]:
    """The variables given for one run: those of the files, except that the real environment's value of the same name
    wins, and over both the `--env name=text` flags."""
    flags = _pairs(pairs, option="--env", what="variable")
    wrong = [name for name in flags if not _ENVIRONMENT_NAME.fullmatch(name)]
    if wrong:
        raise UsageProblem(f"`{wrong[0]}` is not an environment name", hint="use letters, digits and `_`")
    in_files = load_environment_files(files)
    return {**{name: environ.get(name, value) for name, value in in_files.items()}, **flags}


def read_parameters(path: Path) -> Mapping[str, Json]:
    """The map of parameters in a YAML file, or a JSON one if its name ends so."""
    try:
        data = read_regular(path, most=SPEC_BYTES, follow=True)
    except Unreadable as error:
        raise UsageProblem(f"cannot read `{shown_path(path)}`: {error}", hint="name a YAML or JSON file") from error
    name = shown_path(path)
    values = _json(data, name) if path.suffix.lower() == ".json" else _yaml(data, name)
    odd = [key for key in values if not isinstance(key, str)]
    if odd:
        raise BadParameters([f"{name}: `{odd[0]}` is not the name of a parameter"])
    return values


def _pairs(pairs: Sequence[str], *, option: str, what: str) -> dict[str, str]:
    found: dict[str, str] = {}
    problems = []
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator or not name.strip():
            problems.append(f"`{option} {pair}` is not `{option} NAME=VALUE`")
        elif name in found:
            problems.append(f"the {what} `{name}` is given twice with `{option}`")
        elif "\0" in text:
            problems.append(f"the {what} `{name}` holds a NUL character")
        found[name] = text
    if problems:
        raise BadParameters(problems, hint=f"write `{option} NAME=VALUE`, once for each {what}")
    return found


def _yaml(data: bytes, name: str) -> dict[str, Json]:
    from specs.diagnostics import Severity
    from specs.source import read_document

    reading = read_document(data, name)
    errors = [finding for finding in reading.diagnostics if finding.severity is Severity.ERROR]
    if errors or reading.document is None:
        raise BadParameters([concise(finding, Look()) for finding in errors], hint="write `NAME: VALUE` lines")
    values: dict[str, Json] = reading.document.data
    return values


def _json(data: bytes, name: str) -> dict[str, Json]:
    try:
        values = json.loads(data, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BadParameters([f"{name}: not JSON: {why[:1].lower()}{why[1:]}"]) from error
    if not isinstance(values, dict):
        raise BadParameters([f"{name}: expected an object of parameters"], hint='write `{"NAME": VALUE}`')
    return values


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"`{name}` occurs twice")
        found[name] = value
    return found


def _no_constant(text: str) -> Any:
    raise ValueError(f"`{text}` is not a number of JSON")
