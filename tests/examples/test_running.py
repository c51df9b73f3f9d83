"""Every flow in `examples/` runs; one that asks for what the engine does not honour yet is refused before anything starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.connectors.catalogue import InstalledCatalogue
from flowctl.files import ProjectFiles
from flowctl.settings import PROJECT_FILE
from specs.check import Checked, check_file
from specs.rules.honoured import blocking
from specs.source import read_document

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
FLOWS = sorted(
    path for path in EXAMPLES.rglob("*.yaml") if path.name != PROJECT_FILE and not path.name.endswith(".test.yaml")
)
DEMO = EXAMPLES / "demo" / "clocks.yaml"
CONTINENTS = (
    "Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Other", "Pacific",
)  # fmt: skip
FLOWCTL = Path(sys.executable).parent / "flowctl"

ENVIRONMENT = {
    "examples/etl.yaml": {"WAREHOUSE_DSN": "stand-in"},
    "examples/delivery.yaml": {"BROKER_URL": "stand-in"},
    "examples/flows/deliver_one.yaml": dict.fromkeys(("SMTP_PASSWORD", "SMS_KEY", "PUSH_KEY"), "stand-in"),
}
PARAMS: dict[str, dict[str, Any]] = {
    "examples/flows/deliver_one.yaml": {
        "to": {"id": 7, "channel": "push", "token": "t", "number": "+47"},
        "subject": "Sea",
        "html": "<p>Tide</p>",
        "text": "Tide",
    },
}
"""What a run of a flow must be given."""


def name_of(flow: Path) -> str:
    return flow.relative_to(ROOT).as_posix()


def check(flow: Path) -> Checked:
    document = read_document((EXAMPLES / PROJECT_FILE).read_bytes(), PROJECT_FILE).document
    assert document is not None
    return check_file(str(flow), ProjectFiles((flow,)), catalogue=InstalledCatalogue(document.data["connectors"]))


def refused(flow: Path) -> list[str]:
    context = check(flow).context
    return [] if context is None else [found.message for found in blocking(context)]


def run(flow: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "FLOWCTL_HOME": str(folder / "home"),
        "FLOWCTL_DB_URL": f"sqlite:///{folder / 'flowctl.db'}",
        **ENVIRONMENT.get(name_of(flow), {}),
    }
    command = [str(FLOWCTL), "-C", str(EXAMPLES), "run", str(flow), *arguments]
    return subprocess.run(command, env=environ, text=True, capture_output=True, timeout=120, check=False)


def given(flow: Path, folder: Path) -> list[str]:
    if name_of(flow) == "examples/backup.yaml":
        return ["-p", f"target={folder / 'archives'}"]
    if name_of(flow) not in PARAMS:
        return []
    path = folder / "params.json"
    path.write_text(json.dumps(PARAMS[name_of(flow)]), encoding="utf-8")
    return ["--params-file", str(path)]


@pytest.mark.parametrize("flow", FLOWS, ids=name_of)
def test_an_example_is_valid(flow: Path) -> None:
    checked = check(flow)
    assert checked.ok, checked.diagnostics


@pytest.mark.parametrize("flow", [flow for flow in FLOWS if refused(flow)], ids=name_of)
def test_an_example_that_is_not_honoured_in_full_is_refused_by_name(flow: Path, tmp_path: Path) -> None:
    done = run(flow, tmp_path, *given(flow, tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    for message in refused(flow):
        assert f"error[FLOW190]: {message}" in done.stderr
    assert not (tmp_path / "flowctl.db").exists()


@pytest.mark.parametrize("flow", [flow for flow in FLOWS if flow != DEMO and not refused(flow)], ids=name_of)
def test_an_example_that_is_honoured_in_full_runs(flow: Path, tmp_path: Path) -> None:
    done = run(flow, tmp_path, "--json", *given(flow, tmp_path))
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["run"]["state"] == "succeeded"


def test_the_demo_retries_fans_out_branches_and_reports(tmp_path: Path) -> None:
    done = run(DEMO, tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    tasks = summary["tasks"]
    assert (tasks["changes"]["state"], tasks["changes"]["attempts"] >= 2) == ("succeeded", True)
    assert tasks["by_continent"]["counts"]["total"] == len(CONTINENTS)
    assert tasks["seasons"]["counts"]["total"] == 2 * 2
    assert (tasks["look_ahead"]["state"], tasks["stand_still"]["state"]) == ("succeeded", "skipped")
    logs = tmp_path / "flowctl.runs" / summary["run"]["id"] / "attempts"
    report = next(logs.glob("report.*.log")).read_text(encoding="utf-8")
    assert all(f"\n{continent} " in report for continent in CONTINENTS)
    assert "clocks will be moved in" in report
    tables = [block.splitlines() for block in report.split("\n\n") if "──" in block]
    assert len(tables) == 3
    assert all(len(row) <= len(rule) for _title, rule, *rows in tables for row in rows)


@pytest.mark.parametrize(
    ("zone", "changes"),
    [("Europe/Berlin", 121), ("America/New_York", 213), ("Europe/Dublin", 204), ("Asia/Kolkata", 7)],
)
def test_the_demo_counts_the_changes_that_the_zone_files_have(zone: str, changes: int) -> None:
    """The numbers are those of the compiled zone files: moves of `utcoffset` of `zoneinfo.ZoneInfo` up to 2026."""
    program = (
        "import sys; from pathlib import Path; import tzfile\n"
        "database = tzfile.read_database(Path(sys.argv[1]))\n"
        "print(len(list(tzfile.changes_of(database, sys.argv[2], last_year=2026))))"
    )
    command = [sys.executable, "-c", program, "tzdata.zi", zone]
    done = subprocess.run(command, cwd=EXAMPLES / "demo", text=True, capture_output=True, check=True)
    assert int(done.stdout) == changes
