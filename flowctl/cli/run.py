"""`flowctl run`: run a flow here, wait for it, show what happens."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from msgspec.structs import replace

from engine.errors import StoreError
from engine.outcomes import Json
from engine.plan import PRIORITIES
from engine.states import RunState
from flowctl.cli.exits import Exit
from flowctl.cli.frame import Frame, frame_of
from flowctl.cli.params import given_environment, given_parameters
from flowctl.cli.run_end import show_end
from flowctl.findings.text import full
from flowctl.following import count_interrupted
from flowctl.problems import UsageProblem
from flowctl.records import event_object, summary_object
from flowctl.redaction import sensitive_parameters
from flowctl.running import Finished, Request, prepare, require_secrets, run_in_foreground
from flowctl.terminal.progress import open_view
from flowctl.terminal.sanitise import visible
from flowctl.workspace import Workspace
from specs.diagnostics import Diagnostic, Severity

if TYPE_CHECKING:
    import typer

    from engine.plan import Plan
    from engine.store.port import Store
    from engine.submission import Submission
    from flowctl.cli.options import EnvFileOption, EnvOption, FileOption, FlowArgument, ParamOption, ParamsFileOption

BY_SIGNAL: dict[int, Exit] = {signal.SIGINT: Exit.INTERRUPTED, signal.SIGTERM: Exit.TERMINATED}


def run_command(
    ctx: typer.Context,
    flow: FlowArgument = None,
    file: FileOption = None,
    param: ParamOption = None,
    params_file: ParamsFileOption = None,
    env: EnvOption = None,
    env_file: EnvFileOption = None,
    priority: Annotated[str | None, typer.Option("--priority", metavar="CLASS", help="Instead of the flow's.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything and start nothing.")] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Compile the flow anew.", show_default=False)] = False,
) -> int:
    """Run a flow and wait for it.

    Exits with 0 if it succeeded, 1 if it failed, 2 if it could not be started, 124 if it timed out.
    """
    frame = frame_of(ctx).about(flow, file)
    files = [*frame.settings.env_files, *(env_file or [])]
    variables = given_environment(env or [], files=files, environ=frame.environ)
    environ = {**variables, **frame.environ}
    settings = replace(frame.settings, cache=False) if no_cache else frame.settings
    workspace = Workspace(settings, environ)
    compiled = workspace.compile(named_flow(flow, file))
    plan = compiled.plan
    show_warnings(frame, compiled.warnings)
    given = given_parameters(param or [], file=params_file)
    request = Request(Path.cwd(), given.texts, given.values, variables, priority=_class_number(priority))
    submission = prepare(plan, request, environ)
    require_secrets(plan, environ)
    if dry_run:
        frame.say(f"`{visible(plan.name)}` is valid and would start; nothing was started")
        return Exit.SUCCESS
    finished = _drive(frame, workspace, plan, submission)
    summary = dict(finished.summary or {})
    if frame.json:
        put_json(frame, summary)
    else:
        show_end(frame, workspace, summary)
    return exit_code(finished)


def _drive(frame: Frame, workspace: Workspace, plan: Plan, submission: Submission) -> Finished:
    """Run the flow to its end under the eyes of the user; how it ended, with its summary as stored."""

    def summarize(run_id: str) -> dict[str, Any]:
        row = store.run(run_id)
        if row is None:
            raise AssertionError(run_id)
        return summary_object(store, row, sensitive=sensitive_parameters(plan))

    view = open_view(
        sys.stderr,
        environ=frame.environ,
        choice=frame.settings.color,
        quiet=frame.quiet or sys.stderr is None,
        verbose=bool(frame.verbosity),
    )
    submitted: list[str] = []

    def tell_submitted(run_id: str) -> None:
        submitted.append(run_id)
        frame.say(f"run {run_id} of {visible(plan.name)}")

    with workspace.store(create=True) as store:
        tell_interrupted(frame, store)
        try:
            return run_in_foreground(
                workspace,
                store,
                submission,
                view=view,
                on_submitted=tell_submitted,
                on_event=(lambda row: put_json(frame, event_object(row))) if frame.json else None,
                summarize=summarize,
            )
        except StoreError:
            if submitted:
                frame.say(f"run {submitted[0]} is interrupted, its tasks run on: `flowctl resume` takes it up")
            raise
        finally:
            view.close()


def tell_interrupted(frame: Frame, store: Store) -> None:
    """Say how many runs nobody drives, if there are any."""
    number = count_interrupted(store)
    if number:
        what = "1 run is" if number == 1 else f"{number} runs are"
        does = "; this one takes up what it can as long as it goes on" if frame.settings.recovery.take_over else ""
        frame.say(f"{what} interrupted: `flowctl resume` takes up every one{does}")


def named_flow(argument: str | None, option: str | None, *, command: str = "run") -> str:
    """The flow that the command line names, by argument or by `-f`."""
    if (argument is None) == (option is None):
        raise UsageProblem("name one flow", hint=f"for example `flowctl {command} flows/hello.yaml`")
    return argument if argument is not None else str(option)


def exit_code(finished: Finished) -> int:
    """The exit code of `run` (`LANGUAGE.md` 10)."""
    run = finished.run
    if run.state is RunState.SUCCEEDED:
        return Exit.SUCCESS
    if finished.signal is not None:
        return BY_SIGNAL[finished.signal]
    return Exit.TIMED_OUT if run.draining == "timed_out" else Exit.FAILED


def _class_number(name: str | None) -> int | None:
    if name is None:
        return None
    if name not in PRIORITIES:
        raise UsageProblem(f"`{name}` is no priority", hint=f"one of {', '.join(f'`{one}`' for one in PRIORITIES)}")
    return PRIORITIES[name]


def show_warnings(frame: Frame, findings: tuple[Diagnostic, ...]) -> None:
    """Print those of the findings that are warnings, on stderr."""
    look = frame.look(sys.stderr)
    for finding in findings:
        if finding.severity is Severity.WARNING:
            frame.say(full(finding, look) + "\n")


def put_json(frame: Frame, value: Json | dict[str, Any]) -> None:
    """Print one object as a line, at once."""
    frame.put(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    if sys.stdout is not None:
        sys.stdout.flush()
