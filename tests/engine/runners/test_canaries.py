"""Hostile texts through environment, arguments and files: they arrive byte by byte, and nothing fires."""

from __future__ import annotations

from pathlib import Path

from engine.attempts import CommandWork, ScriptWork
from engine.outcomes import Ending
from tests.engine.runners.bench import Bench, declared
from tests.engine.runners.canaries import CANARIES, FIRED


def test_environment_values_arrive_byte_by_byte_and_nothing_fires(bench: Bench) -> None:
    env = {f"V{number}": text for number, text in enumerate(CANARIES)}
    script = "".join(f'printf "%s\\0" "$V{number}"\n' for number in range(len(CANARIES)))
    launch = bench.start(ScriptWork(script), env=env)
    assert bench.end_of(launch).ending is Ending.SUCCEEDED
    assert Path(launch.files.log).read_bytes().decode().split("\0")[:-1] == list(CANARIES)
    assert not (bench.run_dir / FIRED).exists()


def test_arguments_arrive_byte_by_byte_and_nothing_fires(bench: Bench) -> None:
    program = bench.run_dir / "show"
    program.write_text('#!/bin/sh\nfor one in "$@"; do printf "%s\\0" "$one"; done\n')
    program.chmod(0o755)
    launch = bench.start(CommandWork((str(program), *CANARIES)))
    assert bench.end_of(launch).ending is Ending.SUCCEEDED
    assert Path(launch.files.log).read_bytes().decode().split("\0")[:-1] == list(CANARIES)
    assert not (bench.run_dir / FIRED).exists()


def test_outputs_come_back_byte_by_byte(bench: Bench) -> None:
    for text in CANARIES:
        if "\n" in text:
            continue  # a text with a line break is given as JSON
        outcome = bench.script(
            'printf "text=%s\\n" "$V" >> "$FLOW_OUTPUT"', env={"V": text}, outputs=declared(text="string")
        )
        assert outcome.output == {"text": text}
    assert not (bench.run_dir / FIRED).exists()


def test_a_program_of_that_name_is_looked_up_and_never_interpreted(bench: Bench) -> None:
    for launch in [bench.start(CommandWork((text,))) for text in CANARIES]:
        failure = bench.end_of(launch).failure
        assert failure is not None
        assert failure.kind == "exit"
    assert not (bench.run_dir / FIRED).exists()
