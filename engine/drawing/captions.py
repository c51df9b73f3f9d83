"""What is written on a node, the same in every format, and how long each text may be."""

from __future__ import annotations

from engine.drawing.labels import clean, duration
from engine.drawing.model import Node, Shape

TITLE_LENGTH = 48
NOTE_LENGTH = 44
LABEL_LENGTH = 36
CHOICE_LENGTH = 24
"""A diamond is twice as wide as its text."""
TIMES = "\N{MULTIPLICATION SIGN}"


def headline(node: Node) -> str:
    """The node's title, and for a fan-out how many instances it has."""
    title = clean(node.title, TITLE_LENGTH) or "…"
    return f"{title} {TIMES}{node.size}" if node.size else title


def details(node: Node) -> list[str]:
    """Small print under the headline: the kind, unless the outline or a note says it already, and the notes."""
    kind = {Shape.CHOICE: "", Shape.FLOW: "", Shape.SERVICE: f"service, {node.kind}"}.get(node.shape, node.kind)
    length = CHOICE_LENGTH if node.shape is Shape.CHOICE else NOTE_LENGTH
    return [text for text in (clean(text, length) for text in (kind, *node.notes)) if text]


def state_text(node: Node) -> str:
    """The state of a node in words: `failed, 9/12, 1 failed, 1m05s, attempt 2`; empty when it has none."""
    state = node.state
    if state is None:
        return ""
    parts = [state.state.value]
    if state.counts is not None:
        total, succeeded, failed = (state.counts.get(key, 0) for key in ("total", "succeeded", "failed"))
        parts.append(f"{succeeded}/{total}")
        parts += [f"{failed} failed"] if failed else []
    parts += [duration(state.duration_s)] if state.duration_s is not None else []
    parts += [f"attempt {state.attempts}"] if state.attempts > 1 else []
    parts += [f"round {state.round}"] if state.round > 1 else []
    return ", ".join(parts)
