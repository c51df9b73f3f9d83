"""A drawing as JSON, for programs and for the console's own pictures. Texts are whole and as written."""

from __future__ import annotations

import json

from engine.drawing.model import Drawing, Group, Link, Node
from engine.outcomes import Json

SCHEMA_VERSION = 1


def to_json(drawing: Drawing) -> str:
    """`as_json` written as one line of ASCII text."""
    return json.dumps(as_json(drawing), separators=(",", ":")) + "\n"


def as_json(drawing: Drawing) -> dict[str, Json]:
    """The drawing as plain values: `schema_version`, `flow`, `nodes`, `edges`, `groups`, `waves`. `state` of a node is
    `null` in the picture of a plan."""
    return {
        "schema_version": SCHEMA_VERSION,
        "flow": drawing.flow,
        "nodes": [_node(node) for node in drawing.nodes],
        "edges": [_edge(link) for link in drawing.links],
        "groups": [_group(group) for group in drawing.groups],
        "waves": [list(wave) for wave in drawing.waves],
    }


def _node(node: Node) -> dict[str, Json]:
    return {
        "id": node.id,
        "title": node.title,
        "kind": node.kind,
        "shape": node.shape.value,
        "size": node.size,
        "notes": list(node.notes),
        "state": _state(node),
    }


def _state(node: Node) -> Json:
    state = node.state
    if state is None:
        return None
    return {
        "state": state.state.value,
        "counts": dict(state.counts) if state.counts is not None else None,
        "duration_s": state.duration_s,
        "attempts": state.attempts,
        "round": state.round,
    }


def _edge(link: Link) -> dict[str, Json]:
    return {"from": link.source, "to": link.target, "kind": link.kind.value, "label": link.label, "limit": link.limit}


def _group(group: Group) -> dict[str, Json]:
    return {"id": group.id, "title": group.title, "nodes": list(group.nodes), "parent": group.parent}
