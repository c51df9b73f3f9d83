"""Golden files: each `golden/CODE-name.yaml` is checked and compared with `CODE-name.out`, which is written by hand.

Files that start with `_` are companions: libraries and sub-flows of the others. FLOW190 and FLOW902 are left out where a
case is not about them, so that the cases stay about the language and not about what this engine does with it today.

A first line `# golden: ...` says under which conditions a case is checked: `now=DATE`, `catalogue` with the connectors that
are built in, `scripts` with the tools that read scripts, `needs=TOOL` which of them the case needs, `check=PATH` another file
than the case itself. Codes that are off unless asked for are on in the cases named after them.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.connectors.catalogue import InstalledCatalogue
from flowctl.scripts import ScriptChecks
from specs.check import Checked, check_file, check_text
from specs.codes import CODES, OF_PROJECTS
from specs.diagnostics import Diagnostic
from tests.specs.projects import FolderFiles, applied, concise

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(path for path in GOLDEN.glob("*.yaml") if not path.name.startswith("_"))
BESIDE_THE_POINT = {"FLOW190", "FLOW902"}


PATH = f"{os.environ['PATH']}{os.pathsep}{Path(sys.executable).parent}"

NO_CASE = {
    "FLOW130": "version 1 of the language has no deprecated keys",
    "FLOW225": "only a server knows its workers",
    "FLOW901": "a defect of a check, which `test_check` makes on purpose",
    **dict.fromkeys(
        OF_PROJECTS, "about files side by side: `test_project_rules`, and its explanation is run as a project"
    ),
}
"""Codes without a case, and why."""


def conditions_of(case: Path) -> dict[str, str]:
    """What the first line says: words, and what stands behind their `=`."""
    first = case.read_bytes().partition(b"\n")[0].decode("utf-8", "replace")
    words = first.removeprefix("# golden:").split() if first.startswith("# golden:") else []
    return {word.partition("=")[0]: word.partition("=")[2] for word in words}


def check_case(case: Path, data: bytes | None = None) -> Checked:
    said = conditions_of(case)
    if said.get("needs") and shutil.which(said["needs"], path=PATH) is None:
        pytest.skip(f"{said['needs']} is not installed")
    opt_in = frozenset(code for code, info in CODES.items() if info.opt_in and case.name.startswith(code))
    catalogue = InstalledCatalogue({}) if "catalogue" in said else None
    now = datetime.fromisoformat(said["now"]).replace(tzinfo=UTC) if "now" in said else None
    rules = ScriptChecks({"PATH": PATH}).rules if "scripts" in said else ()
    files = FolderFiles(GOLDEN)
    if "check" in said:
        return check_file(said["check"], files)
    content = case.read_bytes() if data is None else data
    return check_text(content, case.name, files, catalogue=catalogue, opt_in=opt_in, now=now, more_rules=rules)


def code_of(case: Path) -> str:
    return case.name.partition("-")[0]


def written(found: Diagnostic, case: Path) -> str:
    """The finding on its lines; how many checks there are is not to the point."""
    name = conditions_of(case).get("check") or case.name
    return re.sub(r"^(.*FLOW902\]: )\d+", r"\1N", concise(found, name))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_golden_flow_has_the_findings_written_beside_it(case: Path) -> None:
    left_out = BESIDE_THE_POINT - {code_of(case)}
    found = [written(one, case) for one in check_case(case).diagnostics if one.code not in left_out]
    expected = case.with_suffix(".out").read_text(encoding="utf-8")
    assert "".join(f"{line}\n" for line in found) == expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_golden_flow_is_named_after_a_finding_it_has(case: Path) -> None:
    assert code_of(case) in CODES
    assert f"[{code_of(case)}]" in case.with_suffix(".out").read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_fix_removes_its_finding(case: Path) -> None:
    before = check_case(case)
    for found in before.diagnostics:
        if found.fix is None or found.place.source.name != case.name or found.code != code_of(case):
            continue
        after = check_case(case, applied(before.source.text, found.fix).encode())
        remaining = [one for one in after.diagnostics if one.code == found.code]
        same = [one for one in before.diagnostics if one.code == found.code]
        assert len(remaining) < len(same), f"{found.message}: {found.fix.title}"


def test_every_case_has_its_expected_findings() -> None:
    outs = {path.stem for path in GOLDEN.glob("*.out")}
    assert outs == {case.stem for case in CASES}


def test_every_code_has_a_case_or_a_reason_to_have_none() -> None:
    assert {code_of(case) for case in CASES} | set(NO_CASE) == set(CODES)
    assert {code_of(case) for case in CASES} & set(NO_CASE) == set()
