"""A drawing for a terminal: waves from top to bottom, each task with what it waits for and where it stands.

Up to `DETAILED_TASKS` tasks each has a line; past that each wave has one, and what went wrong is listed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from engine.drawing.captions import headline, state_text
from engine.drawing.labels import ascii_only, clean, columns, fit, trim
from engine.drawing.model import Drawing, Link, LinkKind, Node, Shape
from engine.drawing.palette import LOOKS, PLAIN
from engine.states import TaskState

DETAILED_TASKS = 200
WAVES_SHOWN = 60
TROUBLES_SHOWN = 30
NARROWEST = 40
LONGEST_NAME = 34
ENOUGH_FOR_NEEDS = 44

_TROUBLES = (TaskState.FAILED, TaskState.BLOCKED, TaskState.RETRYING, TaskState.CANCELLED)

_WORDS: Mapping[LinkKind, str] = {
    LinkKind.AFTER: "after",
    LinkKind.AFTER_START: "after start of",
    LinkKind.AFTER_END: "after end of",
    LinkKind.AFTER_FAILURE: "after failure of",
    LinkKind.ARM: "arm of",
    LinkKind.BEFORE_COMPLETE: "held open by",
    LinkKind.RETRY_UPSTREAM: "run again by",
    LinkKind.UNDO: "undoes",
    LinkKind.CHILD: "part of",
}


class Screen(Struct, frozen=True):
    """What the text is written for: `width` columns, with or without Unicode and colour."""

    width: int = 100
    unicode: bool = True
    colour: bool = False


def to_text(drawing: Drawing, screen: Screen | None = None) -> str:
    """The drawing as lines of at most `screen.width` columns (40 at least), each ended by a line break."""
    screen = screen or Screen()
    width = max(screen.width, NARROWEST)
    nodes = {node.id: node for node in drawing.nodes}
    count = sum(map(len, drawing.waves))
    rows = [*_title(drawing, count), Row()]
    rows += _waves(drawing, nodes, width) if count <= DETAILED_TASKS else _summary(drawing, nodes)
    rows += _groups(drawing, nodes, width)
    return "".join(f"{_written(row, screen, width)}\n" for row in rows)


class Row(Struct, frozen=True):
    """A line before it is written: the gutter, the sign of a state, and the rest."""

    gutter: str = ""
    state: TaskState | None = None
    sign: bool = False
    text: str = ""


def _written(row: Row, screen: Screen, width: int) -> str:
    look = LOOKS[row.state] if row.state else PLAIN
    sign = (look.sign if screen.unicode else look.ascii_sign) + " " if row.sign else ""
    gutter = row.gutter if screen.unicode else row.gutter.translate(_PLAIN_GUTTER)
    text = row.text if screen.unicode else ascii_only(row.text)
    line = trim((gutter + sign + text).rstrip(), width)
    line = line if screen.unicode else ascii_only(line)  # the mark of a cut
    if not (screen.colour and row.state):
        return line
    start = len(gutter)
    return f"{line[:start]}\x1b[{look.sgr}m{line[start:]}\x1b[0m"


_PLAIN_GUTTER = str.maketrans("┬├└─│╷", "+++-|+")


def _title(drawing: Drawing, count: int) -> Iterator[Row]:
    tasks = f"{count:,} task{'s' if count != 1 else ''}"
    waves = f"{len(drawing.waves):,} wave{'s' if len(drawing.waves) != 1 else ''}"
    states = Counter(node.state.state for node in drawing.nodes if node.state)
    told = ", ".join(f"{number:,} {state.value}" for state, number in _in_order(states))
    yield Row(text=f"{clean(drawing.flow, 60)}: {tasks} in {waves}")
    if told:
        yield Row(text=told)


def _in_order(states: Counter[TaskState]) -> Iterator[tuple[TaskState, int]]:
    return ((state, states[state]) for state in LOOKS if states[state])


# --- a line for each task ---------------------------------------------------------------------------------------------


def _waves(drawing: Drawing, nodes: Mapping[str, Node], width: int) -> list[Row]:
    incoming = _incoming(drawing, nodes)
    shown = [nodes[id_] for wave in drawing.waves for id_ in wave]
    wide = _columns_of(shown, width)
    digits = len(str(len(drawing.waves)))
    rows: list[Row] = []
    for number, wave in enumerate(drawing.waves, start=1):
        for index, id_ in enumerate(wave):
            label = f"{number:>{digits}}" if index == 0 else " " * digits
            gutter = f"{label} {_branch(index, len(wave))} "
            rows.extend(_task_rows(nodes[id_], incoming[id_], gutter, wide, width))
        if number < len(drawing.waves):
            rows.append(Row(gutter=" " * digits + " │"))
    return rows


def _branch(index: int, count: int) -> str:
    if index == 0:
        return "┬" if count > 1 else "─"
    return "└" if index == count - 1 else "├"


class Columns(Struct, frozen=True):
    """Widths of the columns for names, kinds and states."""

    name: int
    kind: int
    state: int


def _columns_of(nodes: Sequence[Node], width: int) -> Columns:
    longest = LONGEST_NAME if width >= 80 else max(width // 3, 12)
    name = min(max((columns(headline(node)) for node in nodes), default=0), longest)
    kind = max((columns(_kind(node)) for node in nodes), default=0)
    state = max((columns(state_text(node)) for node in nodes), default=0)
    return Columns(name, kind, min(state, max(width - name - kind - 10, 9)))


def _task_rows(node: Node, links: Sequence[Link], gutter: str, wide: Columns, width: int) -> Iterator[Row]:
    """The task's line, and where little room is left a second one for what it waits for."""
    cells = [fit(headline(node), wide.name), fit(_kind(node), wide.kind)]
    cells += [fit(state_text(node), wide.state)] if wide.state else []
    left, needs = "  ".join(cells) + "  ", _needs(node, links)
    room = width - columns(gutter) - 2 - columns(left)
    state = node.state.state if node.state else None
    if columns(needs) <= room or room >= ENOUGH_FOR_NEEDS:
        yield Row(gutter, state, sign=True, text=left + trim(needs, max(room, 0)))
        return
    yield Row(gutter, state, sign=True, text=left)
    below = "".join(_BELOW.get(character, " ") for character in gutter)
    yield Row(below + "    ", text=trim(needs, width - columns(below) - 4))


_BELOW = {"┬": "│", "├": "│", "─": "│", "└": "│"}


def _kind(node: Node) -> str:
    return "service" if node.shape is Shape.SERVICE else clean(node.kind, 12)


def _needs(node: Node, links: Sequence[Link]) -> str:
    """What the task waits for, kind by kind, then what else decides it."""
    parts = []
    kinds = dict.fromkeys(link.kind for link in links)
    for kind in kinds:
        named = [_named(link) for link in links if link.kind is kind]
        parts.append(f"{_WORDS[kind]} {', '.join(named)}")
    return "; ".join([*parts, *(clean(note, 60) for note in node.notes)])


def _named(link: Link) -> str:
    """The other end of a link; conditions of arms and time limits in brackets."""
    name = clean(link.source.rpartition("/")[2], 40)
    told = [link.label if link.kind is LinkKind.ARM else None, link.limit]
    more = ", ".join(clean(part, 40) for part in told if part)
    return f"{name} ({more})" if more else name


def _incoming(drawing: Drawing, nodes: Mapping[str, Node]) -> dict[str, list[Link]]:
    found: dict[str, list[Link]] = {id_: [] for id_ in nodes}
    for link in drawing.links:
        found[link.target].append(link)
    return found


# --- a line for each wave ---------------------------------------------------------------------------------------------


def _summary(drawing: Drawing, nodes: Mapping[str, Node]) -> list[Row]:
    digits = len(str(len(drawing.waves)))
    numbered = list(enumerate(drawing.waves, start=1))
    last = 10
    shown = numbered if len(numbered) <= WAVES_SHOWN else numbered[: WAVES_SHOWN - last]
    rows = [_wave_row(number, wave, nodes, digits) for number, wave in shown]
    if len(shown) < len(numbered):
        hidden = numbered[len(shown) : -last]
        tasks = sum(len(wave) for _, wave in hidden)
        rows.append(Row(gutter=" " * digits + " │ ", text=f"… {len(hidden):,} waves with {tasks:,} tasks"))
        rows += [_wave_row(number, wave, nodes, digits) for number, wave in numbered[-last:]]
    return rows + _troubles(nodes[id_] for wave in drawing.waves for id_ in wave)


def _wave_row(number: int, wave: Sequence[str], nodes: Mapping[str, Node], digits: int) -> Row:
    members = [nodes[id_] for id_ in wave]
    states = Counter(node.state.state for node in members if node.state)
    kinds = Counter(node.kind for node in members)
    told = [f"{count:,} {state.value}" for state, count in _in_order(states)]
    told = told or [f"{count:,} {clean(kind, 12)}" for kind, count in kinds.most_common()]
    names = ", ".join(clean(node.title, 30) for node in members[:8]) + (", …" if len(members) > 8 else "")
    return Row(gutter=f"{number:>{digits}} ├ ", text=f"{', '.join(told)}: {names}")


def _troubles(nodes: Iterable[Node]) -> list[Row]:
    """The tasks a person looks for in a long list."""
    found = [(node.state.state, node) for node in nodes if node.state and node.state.state in _TROUBLES]
    found.sort(key=lambda pair: _TROUBLES.index(pair[0]))
    rows = [Row(state=state, sign=True, text=f"{headline(node)}  {state_text(node)}") for state, node in found]
    more = len(rows) - TROUBLES_SHOWN
    tail = [Row(text=f"… and {more:,} more")] if more > 0 else []
    return [Row(), *rows[:TROUBLES_SHOWN], *tail] if rows else []


# --- hooks, undo, opened sub-flows ------------------------------------------------------------------------------------


def _groups(drawing: Drawing, nodes: Mapping[str, Node], width: int) -> list[Row]:
    incoming = _incoming(drawing, nodes)
    rows: list[Row] = []
    for group in drawing.groups:
        members = [nodes[id_] for id_ in group.nodes[:DETAILED_TASKS]]
        wide = _columns_of(members, width)
        rows += [Row(), Row(text=clean(group.title, 80))]
        rows += [row for node in members for row in _task_rows(node, incoming[node.id], "  ", wide, width)]
        hidden = len(group.nodes) - len(members)
        rows += [Row(gutter="  ", text=f"… and {hidden:,} more")] if hidden else []
    return rows
