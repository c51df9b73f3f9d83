"""The end of a run, for a person: outputs, why tasks failed with the end of their logs, one line that says it all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engine.attempts import AttemptKey
from engine.states import RunState
from flowctl.cli.frame import Frame
from flowctl.findings.text import count_of
from flowctl.terminal.sanitise import visible
from flowctl.terminal.tail import last_lines
from flowctl.workspace import Workspace

TAIL_LINES = 12


def show_end(frame: Frame, workspace: Workspace, summary: dict[str, Any]) -> None:
    """Outputs on stdout; on stderr what failed, and how the run ended."""
    run = summary["run"]
    for name, value in (run["outputs"] or {}).items():
        frame.put(f"{name}={value}" if isinstance(value, str) else f"{name}:={json.dumps(value, ensure_ascii=False)}")
    for name, task in summary["tasks"].items():
        if task["state"] == RunState.FAILED:
            _show_failure(frame, workspace, run["id"], name, task)
    reason = f": {visible(run['error']['message'])}" if run["error"] else ""
    took = "" if run["duration_s"] is None else f" in {run['duration_s']:.1f}s"
    noted = f", {count_of(run['warnings'], 'warning')}" if run["warnings"] else ""
    frame.say(f"run {run['id']} {run['state']}{took}{noted}{reason}")


def _show_failure(frame: Frame, workspace: Workspace, run_id: str, name: str, task: dict[str, Any]) -> None:
    """What a failed task has to say: its reason and the end of its last attempt's log."""

    message = task["error"]["message"] if task["error"] else ""
    frame.say(f"\n{name} failed: {visible(message)}")
    item = next((one for one in task.get("items", ()) if one["state"] == RunState.FAILED), None)
    latest = item or task
    if not latest["attempts"]:
        return
    key = AttemptKey(run_id, name, item["index"] if item else None, task["round"], latest["attempts"])
    for line in last_lines(Path(workspace.run_files.attempt(key).log), most=TAIL_LINES):
        frame.say(f"    {line}")
