"""Golden files: each `golden/CODE-name.yaml` is checked and compared with `CODE-name.out`, which is written by hand.

Files that start with `_` are companions: libraries and sub-flows of the others. FLOW190 and FLOW902 are left out where a
case is not about them, so that the cases stay about the language and not about what this engine does with it today.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from specs.check import Checked, check_text
from specs.codes import CODES
from tests.specs.projects import FolderFiles, applied, concise

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(path for path in GOLDEN.glob("*.yaml") if not path.name.startswith("_"))
BESIDE_THE_POINT = {"FLOW190", "FLOW902"}


def check_case(case: Path, data: bytes | None = None) -> Checked:
    opt_in = frozenset(code for code, info in CODES.items() if info.opt_in and case.name.startswith(code))
    content = case.read_bytes() if data is None else data
    return check_text(content, case.name, FolderFiles(GOLDEN), opt_in=opt_in)


def code_of(case: Path) -> str:
    return case.name.partition("-")[0]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_golden_flow_has_the_findings_written_beside_it(case: Path) -> None:
    left_out = BESIDE_THE_POINT - {code_of(case)}
    found = [concise(one, case.name) for one in check_case(case).diagnostics if one.code not in left_out]
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
