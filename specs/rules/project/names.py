"""Names and paths that two flows want for themselves (FLOW257, 509)."""

from __future__ import annotations

from collections.abc import Iterator

from specs.diagnostics import Diagnostic, Label
from specs.facts import FlowFacts, Spot
from specs.project import Project, ProjectRule, finding
from specs.scalars import shortened


def same_names(project: Project) -> Iterator[Diagnostic]:
    """A flow has its name to itself: runs, locks of `concurrency` and triggers find it by that."""
    first: dict[str, FlowFacts] = {}
    for flow in project.flows:
        known = first.setdefault(flow.name, flow)
        if known is flow:
            continue
        yield finding(
            "FLOW257",
            flow.named,
            f"the name `{flow.name}` is also that of `{shortened(known.file, 80)}`",
            help="give each flow a `name` of its own"
            if flow.named.path
            else "give it a `name`; without one it is called like its file",
            labels=(Label(known.named.place, "the first of the name"),),
        )


def same_paths(project: Project) -> Iterator[Diagnostic]:
    """A webhook's path leads to one trigger; a slash at its end makes no other path of it."""
    first: dict[str, tuple[FlowFacts, Spot]] = {}
    for flow in project.flows:
        for webhook in flow.webhooks:
            known, spot = first.setdefault(webhook.path.rstrip("/"), (flow, webhook.spot))
            if spot is webhook.spot:
                continue
            also = "another trigger of this flow" if known is flow else f"`{known.name}`"
            yield finding(
                "FLOW509",
                webhook.spot,
                f"the webhook path `{shortened(webhook.path, 80)}` is also used by {also}",
                help="give each trigger a path of its own",
                labels=(Label(spot.place, "used here first"),),
            )


RULES: tuple[ProjectRule, ...] = (same_names, same_paths)
