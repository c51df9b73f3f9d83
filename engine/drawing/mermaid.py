"""A drawing as a Mermaid flowchart, for pages that render it (GitHub, GitLab, documentation).

Nodes are `n0`, `n1`, ...; texts stand in quotes with everything but letters, digits and harmless marks as entity codes,
so that no text can end its label, add a node or bring markup.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.drawing.captions import LABEL_LENGTH, TIMES, TITLE_LENGTH, details, headline, state_text
from engine.drawing.labels import clean
from engine.drawing.model import Drawing, Group, Link, LinkKind, Node, Shape, nested
from engine.drawing.palette import DANGER, LINE, LOOKS, PLAIN, Look

_BRACKETS: Mapping[Shape, tuple[str, str]] = {
    Shape.TASK: ("(", ")"),
    Shape.CHOICE: ("{", "}"),
    Shape.PAUSE: ("{{", "}}"),
    Shape.FLOW: ("[[", "]]"),
    Shape.SERVICE: ("[(", ")]"),
}

_ARROWS: Mapping[LinkKind, str] = {
    LinkKind.AFTER: "-->",
    LinkKind.AFTER_START: "-.->",
    LinkKind.AFTER_END: "-->",
    LinkKind.AFTER_FAILURE: "-->",
    LinkKind.ARM: "-->",
    LinkKind.BEFORE_COMPLETE: "--o",
    LinkKind.RETRY_UPSTREAM: "-.->",
    LinkKind.UNDO: "-.->",
    LinkKind.CHILD: "-.-",
}

_STYLES: Mapping[LinkKind, str] = {
    LinkKind.AFTER_END: f"stroke:{LINE},stroke-dasharray:7 4",
    LinkKind.AFTER_FAILURE: f"stroke:{DANGER},color:{DANGER},stroke-dasharray:7 4",
    LinkKind.RETRY_UPSTREAM: "stroke:#b45309,color:#b45309",
    LinkKind.UNDO: f"stroke:{LINE}",
}

_DASHES = {"solid": "", "dashed": ",stroke-dasharray:6 3", "dotted": ",stroke-dasharray:2 3"}
_HARMLESS = frozenset(" _-.,:/+=!?%()…≤·" + TIMES)


def to_mermaid(drawing: Drawing) -> str:
    """The drawing as the text of a Mermaid flowchart, from top to bottom."""
    return "\n".join(_lines(drawing)) + "\n"


def _lines(drawing: Drawing) -> Iterator[str]:
    names = {node.id: f"n{number}" for number, node in enumerate(drawing.nodes)}
    yield "flowchart TD"
    yield f"  accTitle: {_accessible(drawing.flow)}"
    yield from (f"  {names[node.id]}{_node(node)}" for node in drawing.nodes)
    yield from _frames(drawing.groups, names)
    for link in drawing.links:
        yield f"  {names[link.source]} {_arrow(link)} {names[link.target]}"
    yield from _link_styles(drawing.links)
    yield from _classes(drawing)


def _node(node: Node) -> str:
    start, end = _BRACKETS[node.shape]
    rows = [headline(node), *details(node)]
    if node.state:
        rows.append(f"{LOOKS[node.state.state].sign} {state_text(node)}")
    name = node.state.state.value if node.state else "plain"
    return f'{start}"{"<br/>".join(_escaped(row) for row in rows)}"{end}:::{name}'


def _arrow(link: Link) -> str:
    arrow = _ARROWS[link.kind]
    return f'{arrow}|"{_escaped(clean(link.text, LABEL_LENGTH))}"|' if link.text else arrow


def _frames(groups: tuple[Group, ...], names: Mapping[str, str]) -> Iterator[str]:
    for entry in nested(groups):
        if entry is None:
            yield "  end"
            continue
        number, group = entry
        yield f'  subgraph g{number}["{_escaped(clean(group.title, TITLE_LENGTH))}"]'
        yield from (f"    {names[id_]}" for id_ in group.nodes)


def _link_styles(links: tuple[Link, ...]) -> Iterator[str]:
    numbers: dict[LinkKind, list[str]] = {}
    for number, link in enumerate(links):
        if link.kind in _STYLES:
            numbers.setdefault(link.kind, []).append(str(number))
    yield from (f"  linkStyle {','.join(which)} {_STYLES[kind]};" for kind, which in numbers.items())


def _classes(drawing: Drawing) -> Iterator[str]:
    present = {node.state.state for node in drawing.nodes if node.state}
    yield from (_class(state.value, look) for state, look in LOOKS.items() if state in present)
    if any(node.state is None for node in drawing.nodes):
        yield _class("plain", PLAIN)


def _class(name: str, look: Look) -> str:
    return f"  classDef {name} fill:{look.fill},stroke:{look.border},color:{look.text}{_DASHES[look.line]};"


def _escaped(text: str) -> str:
    """A clean text inside quotes: what is not plainly text is a decimal entity code."""
    return "".join(
        character if character.isalnum() or character in _HARMLESS else f"#{ord(character)};" for character in text
    )


def _accessible(text: str) -> str:
    """A title outside quotes, where entity codes are not read: other characters are spaces."""
    kept = "".join(c if c.isalnum() or c in " _-." else " " for c in clean(text, TITLE_LENGTH))
    return " ".join(kept.split()) or "flow"
