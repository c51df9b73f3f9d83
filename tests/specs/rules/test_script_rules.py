"""Scripts as their text tells: outputs, variables, Python, and where in the file a finding stands."""

from __future__ import annotations

import pytest

from tests.specs.rules.checking import codes, fixed, found, marked, only


def script(text: str, more: str = "") -> str:
    lines = "".join(f"      {line}\n" for line in text.splitlines())
    return f"tasks:\n  a:\n    run: |\n{lines}{more}"


OUTPUTS = "    outputs: {rows: {type: int}}\n"


def test_a_finding_in_a_block_stands_at_its_very_word() -> None:
    finding = only(script('echo one\necho "two $MISSING"'), "FLOW705")
    assert marked(finding) == "$MISSING"
    assert finding.place.source.position(finding.place.start) == (6, 17)


def test_a_finding_in_a_folded_text_stands_at_run() -> None:
    assert marked(only("tasks:\n  a:\n    run: >\n      echo\n      $MISSING\n", "FLOW705")) == "run"


def test_a_script_that_many_tasks_inherit_is_told_of_once() -> None:
    tasks = "".join(f"  t{n}: {{extends: x}}\n" for n in range(5))
    assert len(found(f"templates:\n  x: {{run: echo $MISSING}}\ntasks:\n{tasks}", "FLOW705")) == 1


def test_a_value_that_is_too_large_comes_as_a_file() -> None:
    assert codes(script('cat "$DATA_FILE"', "    env: {DATA: x}\n")) == []


@pytest.mark.parametrize("shell", ["python", "[perl]", "[bash, script.sh]"])
def test_variables_of_other_languages_are_not_looked_at(shell: str) -> None:
    assert found(script("x = 1 # $MISSING", f"    shell: {shell}\n"), "FLOW705") == []


def test_an_undo_sees_the_variables_of_its_task() -> None:
    undo = '    env: {A: x}\n    undo: {run: "echo $A $B $MISSING", env: {B: x}}\n'
    assert only(script("make", undo), "FLOW705").message == "`${MISSING}` is in no `env` and never set"


# --- outputs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        'echo "rows=3" >> "$FLOW_OUTPUT"',
        "echo rows:=3 >>$FLOW_OUTPUT",
        "printf 'rows=%s\\n' 3 >> ${FLOW_OUTPUT}",
        'echo "rows:=$(wc -l < "$FLOW_TMP/x" | tr -d " ")" >> "$FLOW_OUTPUT"',
    ],
)
def test_what_a_line_writes_is_known(line: str) -> None:
    assert codes(script(line, OUTPUTS)) == []
    assert marked(only(script(line), "FLOW707")) == "rows"


@pytest.mark.parametrize(
    "line",
    [
        'echo "level=1" > settings; cat x >> "$FLOW_OUTPUT"',
        'echo "level=1" | tool >> "$FLOW_OUTPUT"',
        'echo "level=1" >> "$FLOW_OUTPUT_JSON"',
        'echo "$NAME=1" >> "$FLOW_OUTPUT"',
    ],
)
def test_what_goes_elsewhere_is_no_output(line: str) -> None:
    assert found(script(line, "    env: {NAME: x}\n"), "FLOW707") == []


def test_a_missing_declaration_is_added_where_the_others_are() -> None:
    text = fixed(only(script('echo "n=3" >> "$FLOW_OUTPUT"'), "FLOW707"))
    assert "    outputs: {n: {type: string}}\n    run: |\n" in text
    more = "    outputs:\n      rows: {type: int}\n"
    text = fixed(only(script('echo "zzz:=3" >> "$FLOW_OUTPUT"', more), "FLOW707"))
    assert "      zzz: {type: json}\n      rows: {type: int}\n" in text


@pytest.mark.parametrize("line", ["./build.sh", "make", '"$TOOL" x', "python3 count.py", "wc -l x | ./sum"])
def test_a_program_may_write_the_outputs(line: str) -> None:
    assert found(script(line, OUTPUTS + "    env: {TOOL: x}\n"), "FLOW706") == []


@pytest.mark.parametrize("line", ["wc -l x", "if [ -f x ]; then cat x; fi", "echo 3"])
def test_a_script_of_plain_commands_has_to_write_them(line: str) -> None:
    assert marked(only(script(line, OUTPUTS), "FLOW706")) == "rows"


# --- python -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["if True", "x = (1", "return 1", "print('a", "0x", "(" * 500])
def test_python_that_does_not_compile_is_found(text: str) -> None:
    assert len(found(script(text, "    shell: python\n"), "FLOW703")) == 1


def test_python_that_compiles_is_fine_whatever_it_warns_of() -> None:
    assert codes(script("x = 1\nprint(x is 1, '\\d')", "    shell: python\n")) == []


def test_a_script_with_expressions_is_only_told_of_those() -> None:
    text = 'params: {n: {}}\ntasks:\n  a: {run: "echo ${{ params.n }} $MISSING"}\n'
    assert codes(text) == ["FLOW410"]
