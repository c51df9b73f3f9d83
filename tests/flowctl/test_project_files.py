"""Which files are flows, and which files a flow may lead to."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowctl.files import ProjectFiles, discover, looks_like_flow, project_root
from specs.files import FileProblem

FLOW = "version: 1\ntasks: {a: {run: 'true'}}\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, text: str = FLOW) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def found(*paths: str, folder: Path) -> list[str]:
    return [str(path) for path in discover([Path(path) for path in paths], folder=folder).files]


def test_a_project_has_its_flows_in_two_folders(here: Path) -> None:
    for name in ("flowctl.yaml", "flows/a.yaml", "flows/deep/b.yml", ".flowctl/c.yaml", "other/d.yaml", "flows/e.txt"):
        write(here / name)
    assert found(folder=here) == [".flowctl/c.yaml", "flows/a.yaml", "flows/deep/b.yml"]


def test_the_flows_of_the_project_are_found_from_a_folder_inside_it(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(here / "flowctl.yaml", "")
    write(here / "flows" / "a.yaml")
    (here / "src").mkdir()
    monkeypatch.chdir(here / "src")
    assert found(folder=here / "src") == ["../flows/a.yaml"]


def test_of_a_folder_everything_that_looks_like_a_flow_is_taken(here: Path) -> None:
    for name in ("d/a.yaml", "d/x/b.yml", "d/a.test.yaml", "d/flowctl.yaml", "d/.git/c.yaml", "d/.venv/c.yaml"):
        write(here / name)
    write(here / "d/node_modules/m.yaml")
    write(here / "d/compose.yaml", "services: {}\n")
    discovery = discover([Path("d")], folder=here)
    assert [str(path) for path in discovery.files] == ["d/a.yaml", "d/x/b.yml"]
    assert [str(path) for path in discovery.skipped] == ["d/compose.yaml"]


def test_a_file_is_taken_as_it_is_named(here: Path) -> None:
    write(here / "a.test.yaml")
    write(here / "notes.txt", "")
    assert found("a.test.yaml", "notes.txt", "missing.yaml", folder=here) == [
        "a.test.yaml",
        "missing.yaml",
        "notes.txt",
    ]


def test_a_file_named_twice_is_checked_once(here: Path) -> None:
    write(here / "d/a.yaml")
    assert found("d/a.yaml", "./d/a.yaml", "d", "d/../d/a.yaml", folder=here) == ["d/a.yaml"]


def test_a_loop_of_links_ends(here: Path) -> None:
    write(here / "d/a.yaml")
    (here / "d/again").symlink_to(here / "d")
    assert found("d", folder=here) == ["d/a.yaml"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("version: 1\ntasks:\n  a: {run: x}\n", True),
        ("tasks: {}\n", True),
        ("version: 1\ntaks: {}\n", True),
        ('{"version": 1, "tasks": {}}', True),
        ("'tasks': {}", True),
        ("version: 1\ntemplates: {}\n", False),
        ("version: 1\nx-base: {}\npools: {}\n", False),
        ("services: {}\n", False),
        ("text: |\n  tasks: no\n", False),
        ("", False),
    ],
)
def test_what_looks_like_a_flow(here: Path, text: str, expected: bool) -> None:
    assert looks_like_flow(write(here / "x.yaml", text)) is expected


def test_the_root_is_the_folder_with_settings_then_the_repository_then_its_own(here: Path) -> None:
    flow = write(here / "a/b/flow.yaml")
    assert project_root(flow) == here / "a" / "b"
    (here / ".git").mkdir()
    assert project_root(flow) == here
    write(here / "a/flowctl.yaml", "")
    assert project_root(flow) == here / "a"


def test_roots_are_given_in_the_form_of_the_path(here: Path) -> None:
    write(here / "flowctl.yaml", "")
    write(here / "flows/a.yaml")
    files = ProjectFiles([Path("flows/a.yaml")])
    assert files.root_of("flows/a.yaml") == "."
    assert files.root_of(str(here / "flows/a.yaml")) == str(here)
    assert files.siblings("flows/b.yaml") == ["a.yaml"]
    assert files.siblings("nowhere/b.yaml") == []


def test_a_named_file_may_be_a_link_and_what_it_leads_to_may_not(here: Path) -> None:
    write(here / "real.yaml")
    (here / "link.yaml").symlink_to("real.yaml")
    assert ProjectFiles([Path("link.yaml")]).read("link.yaml") == FLOW.encode()
    with pytest.raises(FileProblem, match="symbolic link"):
        ProjectFiles([Path("real.yaml")]).read("link.yaml")


def test_a_folder_that_is_a_link_does_not_lead_out_of_the_project(here: Path) -> None:
    write(here / "secret/flowctl.yaml", "")
    write(here / "secret/s.yaml")
    write(here / "project/flowctl.yaml", "")
    flow = write(here / "project/a.yaml")
    (here / "project/out").symlink_to(here / "secret")
    with pytest.raises(FileProblem, match="outside of the project"):
        ProjectFiles([flow]).read(str(here / "project/out/s.yaml"))


def test_what_is_below_the_root_can_be_read(here: Path) -> None:
    write(here / "flowctl.yaml", "")
    write(here / "lib/l.yaml", "version: 1\n")
    assert ProjectFiles([write(here / "flows/a.yaml")]).read("lib/l.yaml") == b"version: 1\n"
    with pytest.raises(FileProblem, match="outside"):
        ProjectFiles([here / "flows/a.yaml"]).read("../x.yaml")
