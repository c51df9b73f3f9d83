"""The language server from outside: the real program, spoken to as an editor does."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowctl.lsp.fields import field_text, keys_of
from specs.check import check_text
from tests.flowctl.lsp.client import Client

FLOW = """\
version: 1
include: [lib.yaml]
params:
  day: {type: date, description: Business day}
secrets:
  KEY: {from: "env:KEY"}
pools:
  wide: {slots: 4}
tasks:
  fetch:
    description: Gets it.
    env: {K: "${{ secrets.KEY }}"}
    run: echo rows=1 >> "$FLOW_OUTPUT"
    outputs:
      rows: {type: int}
  load:
    extends: quick
    after: [fetch]
    if: tasks.fetch.output.rows > 0
    pool: wide
    exec: [load, "${{ params.day }}", "${{ tasks.fetch.output.rows }}"]
  route:
    after: [load]
    branch:
      - if: tasks.fetch.output.rows > 1
        then: [child]
  child:
    flow: sub.yaml
"""
LIB = "version: 1\ntemplates:\n  quick: {timeout: 5m}\n"
SUB = "version: 1\ntasks:\n  a: {run: x}\n"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("project")
    (folder / "lib.yaml").write_text(LIB)
    (folder / "sub.yaml").write_text(SUB)
    (folder / "flowctl.yaml").write_text('checks: {severity: {FLOW190: "off", FLOW230: "off"}}\n')
    env = {**os.environ, "FLOWCTL_HOME": str(folder / "home")}
    with Client(folder, env) as client:
        yield client


@pytest.fixture
def flow(client: Client) -> Iterator[str]:
    """A file with the flow, open in the editor."""
    name = "flow.yaml"
    assert client.open(name, FLOW) == []
    yield name
    client.tell("textDocument/didClose", {"textDocument": {"uri": client.uri(name)}})
    assert client.findings(name) == []


def where(text: str, part: str, inside: int = 0, *, number: int = 0) -> tuple[int, int]:
    """Line and column of an occurrence of `part`, `inside` characters further."""
    at = -1
    for _ in range(number + 1):
        at = text.index(part, at + 1)
    before = text[: at + inside]
    return before.count("\n"), len(before) - before.rfind("\n") - 1


def proposals(client: Client, name: str, text: str) -> list[str]:
    """What is proposed at `^` in a text that stands in the editor for a moment."""
    position = where(text, "^")
    client.change_only(name, text.replace("^", ""))
    labels = [one["label"] for one in client.at("completion", name, *position)["items"]]
    client.findings(name)
    return labels


def edited(text: str, edits: list[dict[str, Any]]) -> str:
    lines = text.split("\n")
    for edit in sorted(edits, key=lambda one: (one["range"]["start"]["line"], one["range"]["start"]["character"]))[
        ::-1
    ]:
        start, end = edit["range"]["start"], edit["range"]["end"]
        before = "\n".join([*lines[: start["line"]], lines[start["line"]][: start["character"]]])
        after = "\n".join([lines[end["line"]][end["character"] :], *lines[end["line"] + 1 :]])
        lines = f"{before}{edit['newText']}{after}".split("\n")
    return "\n".join(lines)


# --- findings ---------------------------------------------------------------------------------------------------------


def test_findings_come_when_a_file_is_opened_and_changed(client: Client, flow: str) -> None:
    bad = FLOW.replace("after: [fetch]", "after: [fetc]")
    [found, *_] = client.change(flow, bad)
    line, column = where(bad, "fetc]")
    assert found["code"] == "FLOW201"
    assert found["severity"] == 1
    assert found["range"]["start"] == {"line": line, "character": column}
    assert found["range"]["end"] == {"line": line, "character": column + 4}
    assert "did you mean `fetch`?" in found["message"]
    assert client.change(flow, FLOW) == []


def test_columns_are_counted_as_the_editor_counts(client: Client, flow: str) -> None:
    found = client.change(flow, 'version: 1\ntasks: {a: {description: "😀é", run: x, after: [b]}}\n')
    [one] = [each for each in found if each["code"] == "FLOW201"]
    assert one["range"]["start"]["character"] == len('tasks: {a: {description: "xxé", run: x, after: [')


def test_unsaved_texts_of_other_files_count(client: Client, flow: str) -> None:
    client.open("lib.yaml", LIB.replace("quick", "slow"))
    found = client.change(flow, FLOW + "# more\n")
    assert [one["code"] for one in found if one["severity"] == 1] == ["FLOW218"]
    client.tell("textDocument/didClose", {"textDocument": {"uri": client.uri("lib.yaml")}})
    client.findings("lib.yaml")
    assert client.change(flow, FLOW) == []


def test_a_silence_of_what_only_tools_find_is_left_alone(client: Client, flow: str) -> None:
    text = FLOW.replace("run: echo", "# flow: ignore[FLOW702]\n    run: echo")
    assert client.change(flow, text) == []
    assert client.change(flow, FLOW) == []


def test_what_is_no_flow_has_no_findings(client: Client) -> None:
    assert client.open("compose.yaml", "services:\n  web: {image: x}\n") == []
    assert client.open("flowctl.yaml", "slots: many\n") == []


@pytest.mark.parametrize(
    "text",
    [
        "tasks:\n  a: [",
        "tasks:\n\t- x",
        "version: 1\ntasks:\n  a:\n    if: ${{ tasks.",
        "{",
        "&a *a",
        "\x00",
        "- -",
        "a: |\n",
    ],
)
def test_half_written_text_never_stops_the_server(client: Client, flow: str, text: str) -> None:
    client.change(flow, text)
    line, column = text.count("\n"), len(text) - text.rfind("\n") - 1
    for method in ("completion", "hover", "definition"):
        client.at(method, flow, line, column)
    client.at("references", flow, line, column, context={"includeDeclaration": True})
    for method in ("documentSymbol",):
        client.ask(f"textDocument/{method}", {"textDocument": {"uri": client.uri(flow)}})
    assert client.change(flow, FLOW) == []


# --- completion -------------------------------------------------------------------------------------------------------


def test_fields_are_proposed_by_place(client: Client, flow: str) -> None:
    top = proposals(client, flow, FLOW + "^\n")
    assert {"triggers", "concurrency", "outputs"} <= set(top)
    assert not {"version", "tasks", "run"} & set(top)
    task = proposals(client, flow, FLOW + "  more:\n    ^\n")
    assert {"run", "after", "retry", "if", "with"} <= set(task)
    task = proposals(client, flow, FLOW + "  more:\n    run: x\n    ^\n")
    assert "env" in task
    assert not {"run", "exec", "use"} & set(task)
    assert {"attempts", "delay"} <= set(proposals(client, flow, FLOW + "  more:\n    run: x\n    retry: {^"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("    priority: ^", {"critical", "low"}),
        ("    allow_failure: ^", {"true", "false"}),
        ("    after: [^", {"fetch", "load", "route", "child"}),
        ("    after:\n      - ^", {"fetch", "load"}),
        ("    after_end: [{task: ^", {"fetch", "load"}),
        ("    branch:\n      - then: [^", {"fetch", "child"}),
        ("    extends: ^", {"quick"}),
        ("    pool: ^", {"wide"}),
        ("    use: ^", {"http.request"}),
        ("    flow: ^", {"sub.yaml"}),
        ("    if: ^", {"params", "tasks", "env", "run", "task"}),
        ("    if: params.^", {"day"}),
        ("    if: tasks.^", {"fetch", "load"}),
        ("    if: tasks.fetch.^", {"status", "output"}),
        ("    if: tasks.fetch.output.^", {"rows"}),
        ("    if: tasks.fetch.output.rows | ^", {"default", "round"}),
        ('    env: {A: "${{ secrets.^', {"KEY"}),
        ('    env: {A: "${{ tasks.fetch.out^', {"output"}),
    ],
)
def test_values_are_proposed_by_place(client: Client, flow: str, line: str, expected: set[str]) -> None:
    assert expected <= set(proposals(client, flow, f"{FLOW}  more:\n{line}\n"))


def test_a_task_is_not_proposed_to_itself_and_item_only_in_a_fan_out(client: Client, flow: str) -> None:
    assert "more" not in proposals(client, flow, FLOW + "  more:\n    run: x\n    after: [^\n")
    fans = FLOW + '  more:\n    fan_out: {items: [1]}\n    run: x\n    env: {A: "x"}\n'
    client.change(flow, fans)
    assert "item" in proposals(client, flow, fans.replace('"x"', '"${{ ^'))
    assert "item" not in proposals(client, flow, FLOW + "  other:\n    run: x\n    if: ^\n")


def test_fields_of_what_is_called_are_proposed(client: Client, flow: str) -> None:
    text = FLOW + '  more:\n    use: http.request\n    with: {url: "https://a.example"}\n'
    client.change(flow, text)
    found = proposals(client, flow, text.replace('example"}', 'example", ^}'))
    assert {"method", "headers"} <= set(found)
    assert "url" not in found
    (client.folder / "called.yaml").write_text("version: 1\nparams:\n  size: {type: int}\ntasks:\n  a: {run: x}\n")
    text = FLOW.replace("flow: sub.yaml", "flow: called.yaml\n    with: {size: 1}")
    client.change(flow, text)
    assert proposals(client, flow, text.replace("{size: 1}", "{^}")) == ["size"]


def test_names_of_the_environment_and_parameters_of_triggers_are_proposed(client: Client, flow: str) -> None:
    text = FLOW + "env: {REGION: eu}\ntriggers:\n  nightly:\n    every: 1d\n    params:\n      day: x\n"
    client.change(flow, text)
    assert proposals(client, flow, text.replace("day: x", "^")) == ["day"]
    client.change(flow, text)
    assert proposals(client, flow, text.replace("if: tasks.fetch.output.rows > 0", "if: env.^")) == ["REGION"]
    client.change(flow, FLOW)


def test_a_proposal_replaces_what_is_written_of_it(client: Client, flow: str) -> None:
    text = FLOW + "  more:\n    run: x\n    after: [fet^]\n"
    position = where(text, "^")
    client.change_only(flow, text.replace("^", ""))
    [item] = [one for one in client.at("completion", flow, *position)["items"] if one["label"] == "fetch"]
    assert edited(text.replace("^", ""), [item["textEdit"]]) == text.replace("fet^", "fetch")
    client.findings(flow)


def test_names_of_a_file_that_was_never_sound_are_known(client: Client) -> None:
    text = "version: 1\nparams:\n  day: {type: date}\ntasks:\n  a: {run: x}\n  b:\n    if: params.^\n"
    client.open("new.yaml", text.replace("^", ""))
    assert [one["label"] for one in client.at("completion", "new.yaml", *where(text, "^"))["items"]] == ["day"]


# --- hover ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "inside", "expected"),
    [
        ("after:", 1, "**after**: list\n\n"),
        ("slots", 1, "default `1`"),
        ("fetch]", 2, "**fetch**: `run`\n\nGets it.\n\n- `rows`: int"),
        ("params.day", 8, "**params.day**: date\n\n**day**: date, required\n\nBusiness day"),
        ("tasks.fetch.output.rows", 20, "**tasks.fetch.output.rows**: int"),
        ("secrets.KEY", 9, "**secrets.KEY**: string"),
        ("wide\n", 1, "pool of 4 slots"),
    ],
)
def test_hover_tells_of_fields_names_and_types(
    client: Client, flow: str, part: str, inside: int, expected: str
) -> None:
    found = client.at("hover", flow, *where(FLOW, part, inside))
    assert expected in found["contents"]["value"]


def test_hover_explains_a_code_in_a_silence(client: Client, flow: str) -> None:
    text = FLOW + "# flow: ignore[FLOW230]\n"
    client.change(flow, text)
    found = client.at("hover", flow, *where(text, "FLOW230", 3))
    assert found["contents"]["value"].startswith("**FLOW230** (info, graph): ")
    assert "Wrong:" in found["contents"]["value"]
    assert client.at("hover", flow, *where(text, "echo", 2)) is None
    client.change(flow, FLOW)


def test_hover_explains_what_was_found_there(client: Client, flow: str) -> None:
    bad = FLOW.replace("after: [fetch]", "after: [fetc]")
    client.change(flow, bad)
    found = client.at("hover", flow, *where(bad, "fetc]", 1))
    assert "**FLOW201** (error, graph): waits for a task that does not exist" in found["contents"]["value"]
    client.change(flow, FLOW)


def test_every_field_of_the_language_has_a_text() -> None:
    pending: list[Any] = [()]
    for path in pending:
        for key in keys_of(path):
            text = field_text((*path, key))
            assert text is not None, (*path, key)
            assert "\n\n" in text, (*path, key)
            if len(path) < 5:
                pending += [(*path, key), (*path, key, "any"), (*path, key, 0)]
    assert len(pending) > 100


# --- definitions, references, renaming --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "inside", "target", "name"),
    [
        ("fetch]", 2, "  fetch:", "flow.yaml"),
        ("tasks.fetch.output", 8, "  fetch:", "flow.yaml"),
        ("child]", 2, "  child:", "flow.yaml"),
        ("params.day", 8, "  day:", "flow.yaml"),
        ("secrets.KEY", 9, "  KEY:", "flow.yaml"),
        ("wide\n", 2, "  wide:", "flow.yaml"),
    ],
)
def test_a_name_leads_to_its_definition(
    client: Client, flow: str, part: str, inside: int, target: str, name: str
) -> None:
    [found] = client.at("definition", flow, *where(FLOW, part, inside))
    line, column = where(FLOW, target, 2)
    assert found["uri"] == client.uri(name)
    assert found["range"]["start"] == {"line": line, "character": column}


def test_templates_of_libraries_and_sub_flows_are_found(client: Client, flow: str) -> None:
    [found] = client.at("definition", flow, *where(FLOW, "quick", 2))
    assert (found["uri"], found["range"]["start"]) == (client.uri("lib.yaml"), {"line": 2, "character": 2})
    [found] = client.at("definition", flow, *where(FLOW, "sub.yaml", 2))
    assert found["uri"] == client.uri("sub.yaml")
    assert client.at("definition", flow, *where(FLOW, "Gets", 1)) == []


def test_references_are_all_places(client: Client, flow: str) -> None:
    position = where(FLOW, "fetch]", 1)
    found = client.at("references", flow, *position, context={"includeDeclaration": True})
    assert len(found) == FLOW.count("fetch")
    without = client.at("references", flow, *position, context={"includeDeclaration": False})
    assert len(without) == FLOW.count("fetch") - 1


def test_a_task_is_renamed_everywhere(client: Client, flow: str) -> None:
    for part, inside in (("  fetch:", 3), ("tasks.fetch", 8)):
        done = client.at("rename", flow, *where(FLOW, part, inside), newName="pull")
        [edits] = done["changes"].values()
        assert edited(FLOW, edits) == FLOW.replace("fetch", "pull")
    done = client.at("rename", flow, *where(FLOW, "child]", 1), newName="sub")
    [edits] = done["changes"].values()
    assert edited(FLOW, edits) == FLOW.replace("child", "sub")


def test_a_renamed_flow_is_as_sound_as_before(client: Client, flow: str) -> None:
    text = (
        "version: 1\ntasks:\n  a: {run: x}\n  'b': {after: [\"a\"], run: x, retry_upstream: {tasks: [a], rounds: 1}}\n"
        "  c: {after_end: [{task: a}], switch: {value: \"tasks['a'].status\", cases: {succeeded: [d]}}}\n  d: {run: x}\n"
        'hooks:\n  failure:\n    a: {run: x}\n    e: {after: [a], run: x}\noutputs: {o: "${{ tasks.a.status }}"}\n'
    )
    client.change(flow, text)
    done = client.at("rename", flow, *where(text, "  a:", 2), newName="first")
    [edits] = done["changes"].values()
    renamed = edited(text, edits)
    assert "hooks:\n  failure:\n    a: {run: x}\n    e: {after: [a], run: x}" in renamed
    before = [one.code for one in check_text(text.encode(), "a.yaml", None).diagnostics]
    assert [one.code for one in check_text(renamed.encode(), "a.yaml", None).diagnostics] == before
    assert "tasks['first'].status" in renamed
    assert client.change(flow, FLOW) == []


@pytest.mark.parametrize(
    ("part", "new", "reason"),
    [
        ("  fetch:", "load", "already"),
        ("  fetch:", "Not-One", "not an id"),
        ("  day:", "x", "only a task"),
        ("Gets", "x", "no task"),
    ],
)
def test_what_cannot_be_renamed_is_explained(client: Client, flow: str, part: str, new: str, reason: str) -> None:
    where_ = {"textDocument": {"uri": client.uri(flow)}, "newName": new}
    line, column = where(FLOW, part, 2)
    answer = client.request("textDocument/rename", {**where_, "position": {"line": line, "character": column}})
    assert reason in answer["error"]["message"]


def test_only_a_task_is_offered_for_renaming(client: Client, flow: str) -> None:
    found = client.at("prepareRename", flow, *where(FLOW, "  fetch:", 3))
    line, column = where(FLOW, "  fetch:", 2)
    assert found["start"] == {"line": line, "character": column}
    assert client.at("prepareRename", flow, *where(FLOW, "  day:", 3)) is None


# --- outline, fixes, formatting ---------------------------------------------------------------------------------------


def test_the_outline_has_sections_and_tasks(client: Client, flow: str) -> None:
    found = client.ask("textDocument/documentSymbol", {"textDocument": {"uri": client.uri(flow)}})
    assert [one["name"] for one in found] == ["version", "include", "params", "secrets", "pools", "tasks"]
    tasks = found[-1]["children"]
    assert [(one["name"], one["detail"]) for one in tasks] == [
        ("fetch", "run"), ("load", "exec"), ("route", "branch"), ("child", "flow"),
    ]  # fmt: skip


def test_a_fix_is_offered_where_its_finding_is(client: Client, flow: str) -> None:
    bad = FLOW.replace("after: [fetch]", "after: [fetc]")
    client.change(flow, bad)
    line, column = where(bad, "fetc]", 1)
    place = {"line": line, "character": column}
    ask = {
        "textDocument": {"uri": client.uri(flow)},
        "range": {"start": place, "end": place},
        "context": {"diagnostics": []},
    }
    [action] = client.ask("textDocument/codeAction", ask)
    assert action["title"] == "write `fetch`"
    [edits] = action["edit"]["changes"].values()
    assert edited(bad, edits) == FLOW
    far = {"line": 0, "character": 0}
    assert client.ask("textDocument/codeAction", {**ask, "range": {"start": far, "end": far}}) == []
    client.change(flow, FLOW)


def test_a_file_is_formatted(client: Client, flow: str) -> None:
    loose = "tasks:\n  a: {run: 'x'} # c\nversion: 1\n"
    client.change(flow, loose)
    ask = {"textDocument": {"uri": client.uri(flow)}, "options": {"tabSize": 2, "insertSpaces": True}}
    edits = client.ask("textDocument/formatting", ask)
    assert edited(loose, edits) == "version: 1\ntasks:\n  a: {run: x}  # c\n"
    client.change(flow, "tasks: [\n")
    assert client.ask("textDocument/formatting", ask) == []
    client.change(flow, FLOW)


def test_a_client_that_goes_away_ends_the_server(tmp_path: Path) -> None:
    with Client(tmp_path, dict(os.environ)) as client:
        assert client.capabilities["renameProvider"]["prepareProvider"]
        assert client.process.stdin is not None
        client.process.stdin.close()
        client.process.stdin = None
        assert client.process.wait(timeout=20) in (0, 1)


def test_without_pygls_the_command_says_what_to_install(tmp_path: Path) -> None:
    import subprocess

    program = (
        "import importlib.util, sys\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, package=None: None if name == 'pygls' else find(name, package)\n"
        "from flowctl.cli.main import main\nsys.exit(main(['lsp']))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install flowctl[lsp]" in done.stderr
