"""What `checks:` of the settings says: severities, findings accepted in some files, checks that are off unless asked for.

An error is lowered, switched off or accepted only with a reason, which whoever reads the settings later will want.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from flowctl.problems import UsageProblem
from flowctl.setting_values import Wrong, each, kind_of, shown
from specs.codes import CODES
from specs.diagnostics import Severity
from specs.files import path_problem
from specs.policy import FIXED, Acceptance, Policy, codes_named, names_of_codes
from specs.suggest import did_you_mean, nearest

LEVELS: Mapping[str, Severity | None] = {**{level.value: level for level in Severity}, "off": None}
_ACCEPTANCE = ("code", "paths", "reason")
_LEVEL = ("level", "reason")


def read_severities(value: Any, _folder: Path) -> Mapping[str, Severity | None]:
    """Severities by code from a map such as `{FLOW415: error, FLOW414: {level: off, reason: "..."}}`."""
    if not isinstance(value, dict):
        raise Wrong(f"expected a map of codes, found {kind_of(value)}", help="write `FLOW415: error`")
    return dict(each(partial(_severity, code, level) for code, level in value.items()))


def read_acceptances(value: Any, _folder: Path) -> tuple[Acceptance, ...]:
    """What is accepted where, from a list of `{code, paths, reason}`."""
    if not isinstance(value, list):
        help_ = 'write `- {code: FLOW418, paths: ["flows/old/**"], reason: "..."}`'
        raise Wrong(f"expected a list of maps, found {kind_of(value)}", help=help_)
    return tuple(each(partial(_acceptance, entry, index) for index, entry in enumerate(value)))


def read_enabled(value: Any, _folder: Path) -> frozenset[str]:
    """Codes from a list of codes and groups such as `[FLOW205, style]`."""
    if not isinstance(value, list):
        raise Wrong(f"expected a list of codes and groups, found {kind_of(value)}", help="write `[style]`")
    return frozenset().union(*each(partial(_enabled, name, index) for index, name in enumerate(value)))


def called_for(policy: Policy, *, enable: Iterable[str], disable: Iterable[str]) -> Policy:
    """The policy of a call that switches codes and groups on and off. Raises `UsageProblem`."""
    on = [code for name in enable for code in _named(name, "--enable")]
    off = [(name, code) for name in disable for code in _named(name, "--disable")]
    for name, code in off:
        if CODES[code].severity is Severity.ERROR:
            of = "" if name == code else f" of `{name}`"
            hint = "lower it in `flowctl.yaml`, under `checks.severity`, with a reason"
            raise UsageProblem(f"`{code}`{of} is an error, which `--disable` does not switch off", hint=hint)
    return policy.changed(enable=on, disable=(code for _, code in off))


def _named(name: str, option: str) -> frozenset[str]:
    codes = codes_named(name)
    if not codes:
        near = nearest(name, names_of_codes())
        hint = f"did you mean `{near}`?" if near else "name a code such as `FLOW205`, or a group such as `style`"
        raise UsageProblem(f"`{option} {shown(name)}`: there is no such code or group", hint=hint)
    return codes


def _enabled(name: Any, index: int) -> frozenset[str]:
    codes = codes_named(name) if isinstance(name, str) else frozenset()
    if not codes:
        raise _unknown(name, (index,), at_key=False)
    return codes


def _severity(code: Any, level: Any) -> tuple[str, Severity | None]:
    known = _code(code, (code,), at_key=True)
    return known, _level(known, level)


def _level(code: str, value: Any) -> Severity | None:
    path: tuple[str | int, ...] = (code,)
    reason = None
    if isinstance(value, dict):
        _require_keys(value, _LEVEL, ("level",), path)
        reason = _reason(value["reason"], (code, "reason")) if "reason" in value else None
        value, path = value["level"], (code, "level")
    if not isinstance(value, str) or value not in LEVELS:
        listed = ", ".join(f"`{level}`" for level in LEVELS)
        help_ = did_you_mean(value, LEVELS) if isinstance(value, str) else "write `off` to switch it off"
        raise Wrong(f"`{shown(value)}` is none of {listed}", code="FLOW113", help=help_, path=path)
    level = LEVELS[value]
    if CODES[code].severity is Severity.ERROR and level is not Severity.ERROR and reason is None:
        help_ = f'write `{code}: {{level: {value}, reason: "..."}}`'
        raise Wrong(f"{code} is an error: lowering it needs a `reason`", code="FLOW111", help=help_, path=path)
    return level


def _acceptance(value: Any, index: int) -> Acceptance:
    if not isinstance(value, dict):
        raise Wrong(f"expected a map, found {kind_of(value)}", help="give `code`, `paths` and `reason`", path=(index,))
    _require_keys(value, _ACCEPTANCE, _ACCEPTANCE, (index,))
    paths = value["paths"]
    if not isinstance(paths, list) or not paths:
        found = "none" if isinstance(paths, list) else kind_of(paths)
        help_ = 'write `["flows/old/**"]`; `**` is any folders, `*` any part of a name'
        raise Wrong(f"expected a list of paths, found {found}", help=help_, path=(index, "paths"))
    return Acceptance(
        code=_code(value["code"], (index, "code")),
        paths=tuple(_pattern(path, (index, "paths", number)) for number, path in enumerate(paths)),
        reason=_reason(value["reason"], (index, "reason")),
    )


def _code(value: Any, path: tuple[str | int, ...], *, at_key: bool = False) -> str:
    if not isinstance(value, str) or value not in CODES:
        raise _unknown(value, path, at_key=at_key, names=tuple(CODES))
    if value in FIXED:
        message = f"{value} cannot be changed: the file was not checked"
        raise Wrong(message, code="FLOW120", help="remove it", path=path, at_key=at_key)
    return value


def _unknown(value: Any, path: tuple[str | int, ...], *, at_key: bool, names: tuple[str, ...] | None = None) -> Wrong:
    near = nearest(value, names or names_of_codes()) if isinstance(value, str) else None
    help_ = (
        f"did you mean `{near}`?" if near else "codes look like `FLOW230`" + ("" if names else ", groups like `style`")
    )
    what = "code" if names else "code or group"
    return Wrong(f"there is no {what} `{shown(value)}`", code="FLOW113", help=help_, path=path, at_key=at_key)


def _pattern(value: Any, path: tuple[str | int, ...]) -> str:
    if not isinstance(value, str):
        raise Wrong(f"expected text, found {kind_of(value)}", path=path)
    problem = path_problem(value) or ("it is too long" if len(value) > 500 else None)
    if problem is not None:
        raise Wrong(f"`{shown(value)}`: {problem}", help="start from the folder of these settings", path=path)
    return value.removeprefix("./")


def _reason(value: Any, path: tuple[str | int, ...]) -> str:
    if not isinstance(value, str) or not value.strip():
        found = kind_of(value) if value else "nothing"
        raise Wrong(f"expected a reason, found {found}", help="say in a few words why this is right", path=path)
    return value


def _require_keys(
    value: dict[Any, Any], allowed: tuple[str, ...], required: tuple[str, ...], path: tuple[str | int, ...]
) -> None:
    for key in value:
        if key not in allowed:
            help_ = did_you_mean(str(key), allowed)
            raise Wrong(f"unknown key `{shown(key)}`", code="FLOW110", help=help_, path=(*path, key), at_key=True)
    missing = [key for key in required if key not in value]
    if missing:
        raise Wrong(f"`{missing[0]}` is missing", code="FLOW111", help=f"add `{missing[0]}: ...`", path=path)
