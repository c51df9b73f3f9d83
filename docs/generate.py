"""Fill the tables of the documentation that are facts of the code.

A page holds `<!-- begin NAME -->` and `<!-- end NAME -->`; what stands between them is replaced by the table of that name.
Run it after a change of those facts: `.venv/bin/python docs/generate.py`. A test fails while a page is not current.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from enum import StrEnum
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TypeVar

from engine.connectors.signatures import BUILT_IN
from engine.launching import PASSED_ON
from engine.states import RUN_TRANSITIONS, TRANSITIONS, RunState, TaskState
from flowctl.cli.exits import MEANINGS
from flowctl.setting_keys import KEYS
from specs.codes import CODES, GROUPS
from specs.context import FieldSpec
from specs.expressions.filters import FILTERS, TESTS
from specs.inheritance import MEANING
from specs.model.task import ACTIONS
from specs.rules.honoured import NOT_HONOURED

ROOT = Path(__file__).parents[1]
PACKAGES = ("specs", "engine", "flowctl")
State = TypeVar("State", bound=StrEnum)
INDIRECT: Mapping[str, tuple[str, ...]] = {"tzdata": ("zoneinfo",)}
"""What is used without being imported by us: the standard library finds the zones there."""

_REGION = re.compile(r"(<!-- begin ([a-z_]+) -->\n).*?(<!-- end \2 -->)", re.DOTALL)


def filled(text: str) -> str:
    """The page with every generated table as the code has it. Raises `KeyError` for a table there is not."""
    return _REGION.sub(lambda match: f"{match[1]}{TABLES[match[2]]()}\n{match[3]}", text)


def pages() -> list[Path]:
    """The pages that hold generated tables."""
    return [page for page in sorted((ROOT / "docs").rglob("*.md")) if _REGION.search(page.read_text(encoding="utf-8"))]


def diagnostics() -> str:
    """Every code a finding can have, by group."""
    parts = []
    for digit, group in GROUPS.items():
        rows = [
            (
                f"[{info.code}](diagnostics/{info.code}.md)",
                info.severity.value + (", opt-in" if info.opt_in else ""),
                info.title,
            )
            for info in CODES.values()
            if info.code[4] == digit
        ]
        if rows:
            parts.append(f"### {digit}xx {group}\n\n{table(('code', 'severity', 'meaning'), rows)}")
    return "\n\n".join(parts)


def filters() -> str:
    """Every filter of expressions."""
    rows = [(f"`{spec.signature}`", ", ".join(_kinds(spec.accepts))) for spec in FILTERS.values()]
    return table(("filter", "what may be piped into it"), rows)


def tests() -> str:
    """Every test of expressions."""
    return ", ".join(f"`is {name}`" for name in TESTS)


def keys_by_action() -> str:
    """Which keys of a task have a meaning with which action."""
    rows = [(f"`{key}`", *("yes" if action in MEANING[key] else "" for action in ACTIONS)) for key in sorted(MEANING)]
    return table(("key", *(f"`{action}`" for action in ACTIONS)), rows)


def not_honoured() -> str:
    """What the language has and this engine does not do yet."""
    rows = [(field.shown, "refuses" if field.blocks_run else "runs without it") for field in NOT_HONOURED]
    return table(("part of the language", "`flowctl run`"), rows)


def settings() -> str:
    """The keys of `flowctl.yaml` and their variables."""
    rows = [(f"`{name}`", f"`{key.variable}`" if key.variable else "") for name, key in KEYS.items()]
    return table(("key", "variable"), rows)


def exit_codes() -> str:
    """What the exit codes of the program mean."""
    return table(("code", "meaning"), [(str(int(code)), meaning) for code, meaning in MEANINGS])


def task_states() -> str:
    """The moves between the states of a task; those of resets are left out."""
    return _diagram(TRANSITIONS, TaskState.PENDING)


def run_states() -> str:
    """The moves between the states of a run."""
    return _diagram(RUN_TRANSITIONS, RunState.SCHEDULED)


def passed_on() -> str:
    """The variables of the machine that reach every task."""
    return ", ".join(f"`{name}`" for name in PASSED_ON)


def connectors() -> str:
    """The actions that need no configuration."""
    rows = [
        (
            f"`{name}.{action}`",
            ", ".join(_field(key, field) for key, field in spec.fields.items()),
            ", ".join(f"`{key}` {kind}" for key, kind in (spec.outputs or {}).items()),
        )
        for name, actions in sorted(BUILT_IN.items())
        for action, spec in actions.items()
    ]
    return table(("action", "fields of `with`, required ones in bold", "output"), rows)


def dependencies() -> str:
    """Every dependency and the packages of ours that import it."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    users = _importers()
    rows = []
    for line in declared:
        name = re.split(r"[<>=!~ \[]", line)[0]
        found = INDIRECT.get(name, users.get(_plain(name), ()))
        rows.append((f"`{name}`", ", ".join(f"`{user}`" for user in sorted(found)) or "nothing yet"))
    return table(("dependency", "imported by"), rows)


TABLES: Mapping[str, Callable[[], str]] = {
    function.__name__: function
    for function in (
        connectors, dependencies, diagnostics, exit_codes, filters, keys_by_action, not_honoured, passed_on, run_states,
        settings, task_states, tests,
    )
}  # fmt: skip


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    titles = tuple(head)
    lines = [titles, ("---",) * len(titles), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _kinds(accepts: frozenset[str]) -> list[str]:
    return ["anything"] if len(accepts) > 6 else sorted(accepts)


def _field(key: str, field: FieldSpec) -> str:
    return f"**`{key}`** {field.type}" if field.required else f"`{key}` {field.type}"


def _diagram(moves: Mapping[State, frozenset[State]], first: State) -> str:
    """A state diagram without the moves of resets and reruns: those out of a final state, and back to the first."""
    final = {state for state in moves if getattr(state, "is_final", False)}
    lines = [f"[*] --> {first}"]
    for state, following in moves.items():
        if state in final:
            lines.append(f"{state} --> [*]")
        else:
            lines += [f"{state} --> {new}" for new in sorted(following) if new is not first]
    return "\n".join(["```mermaid", "stateDiagram-v2", *(f"    {line}" for line in lines), "```"])


def _importers() -> Mapping[str, Collection[str]]:
    """By distribution, which packages of ours import it, at the top of a module or in a function."""
    owners = packages_distributions()
    found: dict[str, set[str]] = defaultdict(set)
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for module in _imported(ast.parse(path.read_text(encoding="utf-8"))):
                for owner in owners.get(module, ()):
                    found[_plain(owner)].add(package)
    return found


def _imported(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> int:
    """Bring every page up to date."""
    for page in pages():
        old = page.read_text(encoding="utf-8")
        new = filled(old)
        if new != old:
            page.write_text(new, encoding="utf-8")
            sys.stderr.write(f"brought up to date: {page.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
