"""What the documentation shows works: flows validate or run, commands print what is shown, links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from engine.connectors.catalogue import InstalledCatalogue
from flowctl.files import ProjectFiles
from specs.check import check_file
from specs.diagnostics import Severity
from specs.rules.honoured import blocking
from tests.docs.pages import PAGES, ROOT, Block, anchors_of, blocks_of, links_of

FLOWCTL = Path(sys.executable).parent / "flowctl"


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_page_shows_works(page: Path, tmp_path: Path) -> None:
    folder = tmp_path / "page"
    folder.mkdir()
    environ = {
        "PATH": f"{FLOWCTL.parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "FLOWCTL_HOME": str(tmp_path / "home"),
    }
    for block in blocks_of(page.read_text(encoding="utf-8")):
        where = f"{name_of(page)}:{block.line}"
        if "file" in block.tags:
            path = folder / block.tags["file"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        if block.is_flow:
            show_flow(block, folder, environ, where)
        elif block.language == "console":
            show_commands(block, folder, environ, where)


def show_flow(block: Block, folder: Path, environ: Mapping[str, str], where: str) -> None:
    """Check a flow, and run it where the page says that it runs."""
    path = folder / block.tags.get("file", f"flow_{block.line}.yaml")
    path.write_text(block.text, encoding="utf-8")
    checked = check_file(str(path), ProjectFiles((path,)), catalogue=InstalledCatalogue({}))
    errors = [found for found in checked.diagnostics if found.severity is Severity.ERROR]
    wanted = [block.tags["expect"]] if "expect" in block.tags else []
    assert [found.code for found in errors] == wanted, f"{where}: {errors}"
    if checked.context is not None and "run" in block.tags:
        assert not blocking(checked.context), where
    if "run" in block.tags:
        params = [word for given in block.params for word in ("-p", given)]
        done = call([str(FLOWCTL), "run", str(path), *params], folder, environ)
        assert done.returncode == (1 if block.tags["run"] == "fail" else 0), f"{where}\n{done.stdout}"


def show_commands(block: Block, folder: Path, environ: Mapping[str, str], where: str) -> None:
    """Run the commands of a block and find what it shows of their output."""
    code = 0
    printed: list[str] = []
    shown: list[str] = []
    lines = block.text.splitlines()
    for position, line in enumerate(lines):
        if not line.startswith("$ "):
            shown.append(line)
            if position + 1 < len(lines) and not lines[position + 1].startswith("$ "):
                continue
            assert_shown(shown, printed, where)
            shown = []
            continue
        assert code == 0, f"{where}: a command before `{line}` ended with {code}\n" + "\n".join(printed)
        done = call(["sh", "-c", line.removeprefix("$ ")], folder, environ)
        code, printed = done.returncode, done.stdout.splitlines()
    assert code == int(block.tags.get("exit", "0")), f"{where}: ended with {code}\n" + "\n".join(printed)


def assert_shown(shown: list[str], printed: list[str], where: str) -> None:
    """Every line shown is among those printed; `…` is anything. Two streams interleave as they like, so order is free."""
    for line in filter(str.strip, shown):
        pattern = re.escape(line.rstrip()).replace("…", ".*")
        assert any(re.fullmatch(pattern, one.rstrip()) for one in printed), (
            f"{where}: {line!r} is not in\n" + "\n".join(printed)
        )


def call(arguments: list[str], folder: Path, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments,
        cwd=folder,
        env=dict(environ),
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in links_of(text):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name_of(page)} links to {link}, which does not exist"
        if anchor:
            assert anchor in anchors_of(target.read_text(encoding="utf-8")), f"{name_of(page)}: no heading for {link}"


def test_every_page_of_the_documentation_is_reached_from_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    reached, waiting = {index.resolve()}, [index.resolve()]
    while waiting:
        page = waiting.pop()
        for link in links_of(page.read_text(encoding="utf-8")):
            target = (page.parent / link.partition("#")[0]).resolve()
            if "://" not in link and target.suffix == ".md" and target not in reached and target.exists():
                reached.add(target)
                waiting.append(target)
    assert sorted(str(page) for page in index.parent.rglob("*.md") if page.resolve() not in reached) == []


def test_the_readme_opens_with_the_two_commands() -> None:
    first = next(blocks_of((ROOT / "README.md").read_text(encoding="utf-8")))
    assert [line.split("#")[0].strip() for line in first.text.splitlines()] == ["make demo", "make test"]
