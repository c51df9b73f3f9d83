"""A drawing as DOT text, for Graphviz and whatever reads its language. Needs no program and no package.

Names, conditions and titles are hostile until escaped: everything goes through `_quoted` or `_markup`, and nodes are
called `n0`, `n1`, ... whatever their tasks are called.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from engine.drawing.captions import LABEL_LENGTH, TITLE_LENGTH, details, headline, state_text
from engine.drawing.labels import clean
from engine.drawing.model import Drawing, Group, Link, LinkKind, Node, Shape, nested
from engine.drawing.palette import DANGER, FAINT, FRAME, INK, LINE, LOOKS, PAPER, PLAIN, Look
from engine.states import TaskState

GAP = "\u200b"
"""Zero width; stands in no clean text, so that it can be taken out again."""

FONT = "Helvetica,Arial,sans-serif"

_OUTLINES: Mapping[Shape, str] = {
    Shape.TASK: 'shape="box"',
    Shape.CHOICE: 'shape="diamond",margin="0.02,0.02"',
    Shape.PAUSE: 'shape="octagon",margin="0.12,0.06"',
    Shape.FLOW: 'shape="component",margin="0.28,0.1"',
    Shape.SERVICE: 'shape="cylinder",margin="0.16,0.1"',
}

_LINES: Mapping[LinkKind, str] = {
    LinkKind.AFTER: "",
    LinkKind.AFTER_START: 'style="dotted",penwidth="1.6"',
    LinkKind.AFTER_END: 'style="dashed"',
    LinkKind.AFTER_FAILURE: f'style="dashed",color="{DANGER}",fontcolor="{DANGER}"',
    LinkKind.ARM: 'arrowhead="vee"',
    LinkKind.BEFORE_COMPLETE: 'style="solid",arrowhead="odot",constraint="false"',
    LinkKind.RETRY_UPSTREAM: 'style="dashed",color="#b45309",fontcolor="#b45309",constraint="false"',
    LinkKind.UNDO: f'style="dotted",arrowhead="open",color="{LINE}",fontcolor="{FAINT}"',
    LinkKind.CHILD: f'style="dotted",arrowhead="none",color="{LINE}"',
}

_FRAME = (
    f'labelloc="t"; labeljust="l"; style="rounded,filled"; fillcolor="#f8fafc"; color="{FRAME}"; '
    f'fontcolor="{FAINT}"; fontsize="10"; margin="14";'
)


def to_dot(drawing: Drawing) -> str:
    """The drawing as a DOT digraph; nodes are `n0`, `n1`, ... and links `e0`, ... in the drawing's order."""
    return "\n".join(_lines(drawing)) + "\n"


def _lines(drawing: Drawing) -> Iterator[str]:
    names = {node.id: f"n{number}" for number, node in enumerate(drawing.nodes)}
    yield "digraph flow {"
    yield (
        f'  graph [rankdir="TB",bgcolor="{PAPER}",fontname="{FONT}",fontcolor="{INK}",labelloc="t",nodesep="0.35",'
        f'ranksep="0.45",pad="0.25",label=<{_heading(drawing)}>];'
    )
    yield f'  node [fontname="{FONT}",fontsize="12",penwidth="1.3",margin="0.2,0.1",height="0.45"];'
    yield f'  edge [fontname="{FONT}",fontsize="9",color="{LINE}",fontcolor="{FAINT}",arrowsize="0.7",penwidth="1.1"];'
    for node in drawing.nodes:
        yield f"  {names[node.id]} [{_attributes(node)}];"
    yield from _frames(drawing.groups, names)
    for number, link in enumerate(drawing.links):
        yield f"  {names[link.source]} -> {names[link.target]} [{_link(link, number)}];"
    yield "}"


def _attributes(node: Node) -> str:
    look = LOOKS[node.state.state] if node.state else PLAIN
    rounded = "rounded,filled" if node.shape is Shape.TASK else "filled"
    return (
        f'{_anchor(node)}label=<{_label(node)}>,{_OUTLINES[node.shape]},style="{rounded},{look.line}",'
        f'fillcolor="{look.fill}",color="{look.border}",fontcolor="{look.text}"'
    )


def _anchor(node: Node) -> str:
    """An id for the element of an SVG, when the task's can be one."""
    plain = node.id.replace(".", "").replace("_", "").replace("/", "")
    return f'id="task-{node.id}",' if plain.isalnum() and plain.isascii() and len(plain) < 200 else ""


def _label(node: Node) -> str:
    rows = [f'<font point-size="13"><b>{_markup(headline(node))}</b></font>']
    rows += [f'<font point-size="9">{_markup(text)}</font>' for text in details(node)]
    if node.state:
        look = LOOKS[node.state.state]
        rows.append(f'<font point-size="10">{look.sign} {_markup(state_text(node))}</font>')
    return "<br/>".join(rows)


def _link(link: Link, number: int) -> str:
    label = f"label={_quoted(' ' + clean(link.text, LABEL_LENGTH) + ' ')}" if link.text else ""
    return ",".join(part for part in (f'id="e{number}"', _LINES[link.kind], label) if part)


# --- heading and frames -----------------------------------------------------------------------------------------------


def _heading(drawing: Drawing) -> str:
    """The flow's name, and under it, when the picture shows a run, a legend of the states that occur."""
    name = f'<font point-size="17"><b>{_markup(clean(drawing.flow, TITLE_LENGTH)) or "flow"}</b></font>'
    present = {node.state.state for node in drawing.nodes if node.state}
    if not present:
        return f"{name}<br/> "
    chips = "".join(_chip(state, look) for state, look in LOOKS.items() if state in present)
    return (
        f'<table border="0" cellborder="0" cellspacing="6"><tr><td colspan="{len(present)}">{name}</td></tr>'
        f"<tr>{chips}</tr></table>"
    )


def _chip(state: TaskState, look: Look) -> str:
    return (
        f'<td border="1" cellpadding="4" style="rounded" color="{look.border}" bgcolor="{look.fill}">'
        f'<font point-size="10" color="{look.text}">{look.sign} {state.value}</font></td>'
    )


def _frames(groups: Sequence[Group], names: Mapping[str, str]) -> Iterator[str]:
    """Clusters, inner ones within outer ones."""
    for entry in nested(groups):
        if entry is None:
            yield "  }"
            continue
        number, group = entry
        yield f"  subgraph cluster_{number} {{"
        yield f"    label={_quoted(clean(group.title, TITLE_LENGTH))}; {_FRAME}"
        if group.nodes:
            yield "    " + " ".join(f"{names[id_]};" for id_ in group.nodes)
        else:  # Graphviz leaves out a frame with nothing in it, and its title with it
            yield f'    c{number} [label="…",shape="plaintext",fontcolor="{FAINT}"];'


# --- escaping ---------------------------------------------------------------------------------------------------------


def _quoted(text: str) -> str:
    """A clean text as a DOT string, in which Graphviz reads backslashes and character entities."""
    return '"' + text.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"') + '"'


def _markup(text: str) -> str:
    """A clean text inside a label with markup: nothing in it is a tag, an entity or the end of the label.

    Graphviz puts names in for `\\N`, `\\G` and the like here, too, and knows no escape: `GAP` keeps them apart.
    """
    return escape(text, quote=True).replace("\\", f"&#92;&#{ord(GAP)};")
