"""Task graphs of the shapes that are measured, as plain data. The same arguments give the same graph."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Task:
    """One task and the names of those it waits for, which all come before it in its graph."""

    name: str
    needs: tuple[str, ...] = ()


Graph = tuple[Task, ...]

LAYER_WIDTH = 100
DENSE_TASKS = 1_000
NEEDED_IN_LAYER = (0, 7, 31)
BANDS = ("j", "h", "k")
DIAGONAL_OVERLAP = 0.5


def wide(count: int) -> Graph:
    """`count` tasks that wait for nothing."""
    return tuple(Task(f"t{number}") for number in range(count))


def chain(count: int) -> Graph:
    """`count` tasks, each waiting for the one before it."""
    return tuple(Task(f"t{number}", (f"t{number - 1}",) if number else ()) for number in range(count))


def layers(count: int) -> Graph:
    """Layers of 100 tasks, each task waiting for three of the layer before; a remainder makes a narrower last layer."""
    width = min(LAYER_WIDTH, max(1, count // 3))
    tasks = []
    for number in range(count):
        layer, place = divmod(number, width)
        needs = dict.fromkeys(f"t{layer - 1}_{(place + step) % width}" for step in NEEDED_IN_LAYER) if layer else ()
        tasks.append(Task(f"t{layer}_{place}", tuple(needs)))
    return tuple(tasks)


def dense(edges: int) -> Graph:
    """1,000 tasks with about so many edges, each task waiting for the ones just before it."""
    needed = max(1, edges // DENSE_TASKS)
    return tuple(
        Task(f"t{number}", tuple(f"t{earlier}" for earlier in range(max(0, number - needed), number)))
        for number in range(DENSE_TASKS)
    )


def pairs(count: int) -> Graph:
    """Tasks in twos, the second waiting for the first: what a file of many small steps looks like to a checker."""
    return tuple(Task(f"t{number}", (f"t{number - 1}",) if number % 2 else ()) for number in range(count))


def montage(count: int, *, seed: int = 2026) -> Graph:
    """A mosaic of the sky in three bands as the Montage toolkit builds it, with about `count` tasks.

    The structure follows the Montage workflows of WfCommons: each image is projected, overlapping pairs are fitted, the fits
    are joined into one background model, each image is corrected by it, and the corrected ones are added, shrunk and drawn.
    Which neighbours on the diagonal overlap is drawn from `seed`.
    """
    side = 2
    while len(_mosaic(side + 1, seed)) <= count:
        side += 1
    return _mosaic(side, seed)


def _mosaic(side: int, seed: int) -> Graph:
    draw = random.Random(seed)
    tasks = [task for band in BANDS for task in _band(band, side, draw)]
    return (*tasks, Task("color_viewer", tuple(f"{band}_shrink" for band in BANDS)))


def _band(band: str, side: int, draw: random.Random) -> list[Task]:
    cells = [(row, column) for row in range(side) for column in range(side)]
    projects = [Task(f"{band}_project_{row}_{column}") for row, column in cells]
    fits = [
        Task(
            f"{band}_fit_{a[0]}_{a[1]}_{b[0]}_{b[1]}",
            (f"{band}_project_{a[0]}_{a[1]}", f"{band}_project_{b[0]}_{b[1]}"),
        )
        for a in cells
        for b in _overlapping(a, side, draw)
    ]
    corrected = [
        Task(f"{band}_background_{row}_{column}", (f"{band}_model", f"{band}_project_{row}_{column}"))
        for row, column in cells
    ]
    return [
        *projects,
        *fits,
        Task(f"{band}_concat", tuple(task.name for task in fits)),
        Task(f"{band}_model", (f"{band}_concat",)),
        *corrected,
        Task(f"{band}_table", tuple(task.name for task in corrected)),
        Task(f"{band}_add", (f"{band}_table",)),
        Task(f"{band}_shrink", (f"{band}_add",)),
    ]


def _overlapping(cell: tuple[int, int], side: int, draw: random.Random) -> list[tuple[int, int]]:
    row, column = cell
    certain = [(row, column + 1), (row + 1, column)]
    perhaps = [near for near in ((row + 1, column + 1), (row + 1, column - 1)) if draw.random() < DIAGONAL_OVERLAP]
    return [(r, c) for r, c in (*certain, *perhaps) if 0 <= r < side and 0 <= c < side]


def has_edges(graph: Graph) -> bool:
    """Whether any task waits for another."""
    return any(task.needs for task in graph)


def levels(graph: Graph) -> list[list[str]]:
    """The tasks by depth: each level waits for the ones before it. For engines that have loops and no graphs."""
    depth: dict[str, int] = {}
    found: list[list[str]] = []
    for task in graph:
        depth[task.name] = level = max((depth[need] + 1 for need in task.needs), default=0)
        if level == len(found):
            found.append([])
        found[level].append(task.name)
    return found
