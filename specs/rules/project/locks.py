"""Locks that are held while others are waited for, in an order that can end with everybody waiting (FLOW228)."""

from __future__ import annotations

from collections.abc import Iterator

from specs.diagnostics import Diagnostic, Label
from specs.facts import LockOrder
from specs.project import Project, ProjectRule, finding
from specs.rules.project.circles import circles

MOST_SHOWN = 10
"""Locks of a circle that a message lists, and places that are shown beside it."""


def tangled_locks(project: Project) -> Iterator[Diagnostic]:
    """All flows take locks in one order."""
    edges: dict[tuple[str, str], LockOrder] = {}
    for flow in project.flows:
        for order in flow.lock_orders:
            edges.setdefault((order.held, order.wanted), order)
    for circle in circles(edges):
        (_, first), *others = circle
        if len(circle) == 1:
            yield _own(first)
            continue
        names = [f"`{name}`" for name, _ in circle[:MOST_SHOWN]]
        labels = [_held(first)]
        for _, order in others[:MOST_SHOWN]:
            labels += [Label(order.wanted_at.place, f"`{order.task}` wants `{order.wanted}` …"), _held(order)]
        yield finding(
            "FLOW228",
            first.wanted_at,
            f"the locks {', '.join(names)} are taken in different orders, so that tasks can wait for each other for ever",
            help="take them in the same order everywhere, or together: `lock: [a, b]` on one task",
            labels=tuple(labels),
        )


def _own(order: LockOrder) -> Diagnostic:
    return finding(
        "FLOW228",
        order.wanted_at,
        f"`{order.task}` waits for the lock `{order.wanted}`, which the service `{order.holder}` holds until"
        f" `{order.task}` has ended",
        help=f"leave the lock to `{order.holder}`",
        labels=(_held(order),),
    )


def _held(order: LockOrder) -> Label:
    return Label(order.held_at.place, f"while the service `{order.holder}` holds `{order.held}`")


RULES: tuple[ProjectRule, ...] = (tangled_locks,)
