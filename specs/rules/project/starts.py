"""Flows that start when others end (FLOW513, 514)."""

from __future__ import annotations

from collections.abc import Iterator

from specs.diagnostics import Diagnostic, Label
from specs.facts import Listening
from specs.project import Project, ProjectRule, finding
from specs.rules.project.circles import circles
from specs.suggest import did_you_mean

MOST_SHOWN = 10
"""Names of a circle that a message lists, and triggers that are shown beside it."""


def endless_starts(project: Project) -> Iterator[Diagnostic]:
    """No run leads to a run of the same flow by triggers alone; a trigger with an `if` can end the circle."""
    edges: dict[tuple[str, str], Listening] = {}
    for flow in project.flows:
        for listening in flow.listens:
            if not listening.is_conditional:
                edges.setdefault((listening.flow, flow.name), listening)
    for circle in circles(edges):
        names = [name for name, _ in circle]
        (_, first), *others = circle
        if len(circle) == 1:
            message = f"the end of `{names[0]}` starts `{names[0]}` again, for ever"
        else:
            shown = [*(f"`{name}`" for name in names[:MOST_SHOWN]), *(["…"] if len(names) > MOST_SHOWN else [])]
            message = f"flows start each other for ever: {' → '.join([*shown, f'`{names[0]}`'])}"
        labels = tuple(Label(one.spot.place, f"`{one.trigger}` goes on") for _, one in others[:MOST_SHOWN])
        help_ = "give one of the triggers an `if` that ends it, or remove one"
        yield finding("FLOW513", first.spot, message, help=help_, labels=labels)


def unknown_flows(project: Project) -> Iterator[Diagnostic]:
    """A trigger waits for a flow that there is."""
    if not project.is_whole:
        return
    names = {flow.name: None for flow in project.flows}
    for flow in project.flows:
        for listening in flow.listens:
            if listening.flow not in names:
                message = f"no flow of this project is called `{listening.flow}`, so `{listening.trigger}` never fires"
                yield finding("FLOW514", listening.spot, message, help=did_you_mean(listening.flow, names))


RULES: tuple[ProjectRule, ...] = (endless_starts, unknown_flows)
