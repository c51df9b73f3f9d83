"""A drawing as SVG or PNG, through the `dot` program of Graphviz.

The SVG stands by itself: no document type, no reference to anything outside, no script; each node, link and frame has a
`<title>` that says what it is, for those who hear a picture.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from html import escape
from typing import Literal

from engine.drawing.captions import TITLE_LENGTH, headline, state_text
from engine.drawing.dot import GAP, to_dot
from engine.drawing.labels import clean
from engine.drawing.model import Drawing
from engine.errors import DrawingUnavailable

LARGEST = 1_500
"""Nodes, and four times as many links, past which `dot` takes longer than anybody waits."""

TIME_LIMIT_S = 60.0
TEXT_FORMATS = "`--format dot`, `mermaid`, `json` or `text`"


def render(drawing: Drawing, format: Literal["svg", "png"], *, program: str = "dot") -> bytes:  # noqa: A002 - as in DOT
    """The picture as a file's bytes.

    Raises:
        DrawingUnavailable: the program is missing, fails or takes over `TIME_LIMIT_S`, or the drawing is too large.
    """
    if len(drawing.nodes) > LARGEST or len(drawing.links) > 4 * LARGEST:
        raise DrawingUnavailable(
            f"a picture of {len(drawing.nodes):,} nodes and {len(drawing.links):,} links is too large to lay out",
            hint="use `--format dot` or `json`, or `text` for a summary",
        )
    made = _run(to_dot(drawing), [program, f"-T{format}", *_effort(drawing), *_resolution(drawing, format)])
    return _alone(made.decode("utf-8", "replace"), drawing).encode() if format == "svg" else made


def _effort(drawing: Drawing) -> list[str]:
    """Large graphs are laid out with less polish."""
    return ["-Gnslimit=2", "-Gnslimit1=2", "-Gmclimit=0.5", "-Gsplines=polyline"] if len(drawing.nodes) > 300 else []


def _resolution(drawing: Drawing, format_: str) -> list[str]:
    """Sharp for what fits a screen; a large bitmap would only be scaled down again."""
    return [f"-Gdpi={144 if len(drawing.nodes) <= 100 else 72}"] if format_ == "png" else []


def _run(dot: str, command: list[str]) -> bytes:
    from graphviz.backend import execute  # type: ignore[import-untyped]  # no stubs; loaded for a picture only

    try:
        done = execute.run_check(command, input=dot.encode(), capture_output=True, timeout=TIME_LIMIT_S, quiet=True)
    except (execute.ExecutableNotFound, PermissionError) as error:
        raise DrawingUnavailable(
            f"svg and png need the program `{command[0]}`, which is not installed",
            hint=f"install the package `graphviz` (Debian: `apt install graphviz`), or use {TEXT_FORMATS}",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise DrawingUnavailable(
            f"the layout took longer than {TIME_LIMIT_S:.0f}s", hint=f"use {TEXT_FORMATS}"
        ) from error
    except (execute.CalledProcessError, OSError) as error:
        said = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error).encode()
        reason = clean((said or b"no reason given").decode("utf-8", "replace"), 200)
        raise DrawingUnavailable(f"`{command[0]}` could not draw: {reason}", hint=f"use {TEXT_FORMATS}") from error
    made: bytes = done.stdout
    return made


# --- a document of its own --------------------------------------------------------------------------------------------

_PROLOGUE = re.compile(r"\A.*?(?=<svg\b)", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
_TITLED = re.compile(r"(<g id=\"([^\"]*)\" class=\"(graph|node|edge|cluster)\"[^>]*>\s*<title>)([^<]*)(</title>)")


def _alone(svg: str, drawing: Drawing) -> str:
    """What `dot` wrote as a document that needs nothing else, with titles for people instead of its own names."""
    body = _COMMENT.sub("", _PROLOGUE.sub("", svg, count=1)).replace(GAP, "").replace(f"&#{ord(GAP)};", "")
    names = _spoken_names(drawing)
    links = {f"e{number}": link for number, link in enumerate(drawing.links)}
    spoken = {node.id: clean(node.title, TITLE_LENGTH) for node in drawing.nodes}

    def titled(match: re.Match[str]) -> str:
        before, name, kind, title, after = match.groups()
        if kind != "edge":
            return before + (escape(names[title]) if title in names else title) + after
        link = links[name]
        text = f"{spoken[link.source]} to {spoken[link.target]}: {link.text or link.kind.value.replace('_', ' ')}"
        return before + escape(clean(text, 200)) + after

    about = escape(clean(f"flow {drawing.flow}", TITLE_LENGTH + 5))
    return _TITLED.sub(titled, body.replace("<svg ", f'<svg role="img" aria-label="{about}" ', 1))


def _spoken_names(drawing: Drawing) -> Mapping[str, str]:
    """For each name in the DOT text of a node or a frame, what a person should hear."""
    names = {"flow": clean(drawing.flow, TITLE_LENGTH)}
    names |= {f"cluster_{number}": clean(group.title, 80) for number, group in enumerate(drawing.groups)}
    for number, node in enumerate(drawing.nodes):
        told = ", ".join(part for part in (headline(node), node.kind, state_text(node)) if part)
        names[f"n{number}"] = clean(told, 200)
    return names
