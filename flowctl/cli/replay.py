"""`flowctl replay`: prove that the log of a run makes the state that is stored."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from engine.errors import RunNotFound
from flowctl.cli.exits import Exit
from flowctl.cli.frame import Frame
from flowctl.cli.group import frame_of
from flowctl.findings.text import count_of
from flowctl.history import StoredPlans, find_run, store_with_runs
from flowctl.problems import UsageProblem
from flowctl.proving import Proof, every_id, proof_object, proof_text, prove
from flowctl.terminal.sanitise import visible
from flowctl.workspace import Workspace


def replay_command(
    ctx: typer.Context,
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="The run's id, an end or start of it, or `latest`.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every run of the store, those of sub-flows, too.")] = False,
) -> int:
    """Prove that the log of a run makes the state that is stored, and name the first difference if it does not.

    Nothing is changed. Works on runs that are under way, too. Exits with 1 if there is a difference, or no proof.
    """
    frame = frame_of(ctx)
    if (run is None) != every:
        raise UsageProblem("name one run, or give `--all`", hint="for example `flowctl replay latest`")
    workspace = Workspace(frame.settings, frame.environ)
    with store_with_runs(workspace) as store:
        plans = StoredPlans(workspace, store)
        if run is not None:
            proof = prove(store, plans, find_run(store, run).id)
            _put(frame, proof)
            return Exit.SUCCESS if proof.holds else Exit.FAILED
        proven = failed = 0
        for run_id in every_id(store):
            try:
                proof = prove(store, plans, run_id)
            except RunNotFound:  # removed meanwhile
                continue
            proven += proof.holds
            failed += not proof.holds
            if frame.json or not proof.holds or frame.verbosity:
                _put(frame, proof)
    frame.say(f"{count_of(proven, 'run')} proven" + (f", {failed} not" if failed else ""))
    return Exit.FAILED if failed else Exit.SUCCESS


def _put(frame: Frame, proof: Proof) -> None:
    if frame.json:
        frame.put(json.dumps(proof_object(proof), ensure_ascii=False, separators=(",", ":")))
    else:
        frame.put(f"run {proof.run.id} of {visible(proof.run.flow)}: {visible(proof_text(proof))}")
