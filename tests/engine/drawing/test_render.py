"""Pictures made by Graphviz, where it is installed; and what is said where it is not."""

from __future__ import annotations

import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from engine.drawing import render as rendering
from engine.drawing.model import NodeState, draw
from engine.drawing.render import render
from engine.errors import DrawingUnavailable
from engine.states import TaskState
from tests.engine.drawing.pictures import CANARIES, everything, hostile, large

with_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
SVG = "{http://www.w3.org/2000/svg}"


def parsed(svg: bytes) -> ElementTree.Element:
    """The root of an SVG that is well-formed."""
    return ElementTree.fromstring(svg)


@with_dot
def test_an_svg_stands_by_itself() -> None:
    made = render(draw(everything(), expand_children=True), "svg")
    assert made.startswith(b"<svg ")
    assert b"<!" not in made
    links = [value for element in parsed(made).iter() for name, value in element.items() if name.endswith("href")]
    assert links == []


@with_dot
def test_an_svg_says_what_each_part_is() -> None:
    states = {"test": NodeState(TaskState.FAILED, {"total": 12, "succeeded": 9, "failed": 3})}
    root = parsed(render(draw(everything(), states), "svg"))
    titles = {element.text for element in root.iter(f"{SVG}title")}
    assert root.get("role") == "img"
    assert "test ×12, run, failed, 9/12, 3 failed" in titles  # noqa: RUF001 - the sign we write
    assert "route to report: else" in titles
    assert "test to coverage: started" in titles
    assert "hooks after failure" in titles


@with_dot
@pytest.mark.parametrize("text", CANARIES)
def test_no_text_becomes_markup_or_a_node(text: str) -> None:
    drawing = draw(hostile(text), expand_children=True)
    root = parsed(render(drawing, "svg"))
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "g", "title", "text", "polygon", "path", "polyline", "ellipse"
    }  # fmt: skip
    assert not any(name.lower().startswith("on") for element in root.iter() for name in element.keys())  # noqa: SIM118
    classes = [element.get("class") for element in root.iter(f"{SVG}g")]
    assert classes.count("node") == len(drawing.nodes)
    assert classes.count("edge") == len(drawing.links)


@with_dot
def test_a_text_is_shown_as_it_was_written() -> None:
    text = '<b>&amp; \\N "q"'
    shown = "".join(parsed(render(draw(hostile(text)), "svg")).itertext()).replace("\u00a0", " ")
    assert f"switch {text}" in shown
    assert f'case "{text}"' in shown


@with_dot
def test_a_png_is_a_png() -> None:
    assert render(draw(everything()), "png").startswith(b"\x89PNG\r\n\x1a\n")


def test_a_missing_program_names_the_package_and_the_other_formats(tmp_path: Path) -> None:
    with pytest.raises(DrawingUnavailable) as caught:
        render(draw(everything()), "svg", program=str(tmp_path / "dot"))
    assert "not installed" in str(caught.value)
    assert "apt install graphviz" in (caught.value.hint or "")
    for name in ("dot", "mermaid", "json", "text"):
        assert name in (caught.value.hint or "")


def script(path: Path, body: str) -> str:
    """A program made of a few lines of shell."""
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_a_program_that_fails_is_quoted(tmp_path: Path) -> None:
    failing = script(tmp_path / "dot", "cat >/dev/null; echo 'out of\x1b[2J luck' >&2; exit 1")
    with pytest.raises(DrawingUnavailable, match=r"could not draw: out of \[2J luck"):
        render(draw(everything()), "svg", program=failing)


def test_a_layout_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "TIME_LIMIT_S", 0.05)
    with pytest.raises(DrawingUnavailable, match="took longer"):
        render(draw(everything()), "svg", program=script(tmp_path / "dot", "exec sleep 30"))


def test_a_picture_too_large_is_refused_with_the_formats_that_can() -> None:
    with pytest.raises(DrawingUnavailable, match="1,600 nodes") as caught:
        render(draw(large(1_600)), "svg")
    assert "--format dot" in (caught.value.hint or "")
    assert "json" in (caught.value.hint or "")
