"""Scripts and commands as real processes: how they start, what they see, how their ends are told."""

from __future__ import annotations

import os
import signal
import stat
import sys
from pathlib import Path

import pytest

from engine.attempts import CommandWork, ScriptWork
from engine.outcomes import Ending
from engine.runners.trees import MARKER
from tests.engine.runners.bench import PATH, RUN_ID, Bench, declared, log_of, open_descriptors, zombies


def test_a_command_that_exits_with_zero_succeeds(bench: Bench) -> None:
    outcome = bench.command("true")
    assert outcome.ending is Ending.SUCCEEDED
    assert outcome.exit_code == 0
    assert outcome.notes == ()


def test_an_exit_code_is_told_with_the_last_line_written(bench: Bench) -> None:
    outcome = bench.script("echo first; echo 'no such table' >&2; echo; exit 42")
    assert outcome.ending is Ending.FAILED
    assert outcome.failure is not None
    assert outcome.failure.kind == "exit"
    assert outcome.failure.exit_code == 42
    assert outcome.failure.message == "exited with 42: no such table"


def test_the_last_line_is_shown_without_terminal_commands_and_cut(bench: Bench) -> None:
    outcome = bench.script(r"printf '\033]0;title\007\033[31mred\033[0m\001 %0300d\n' 7; exit 1")
    assert outcome.failure is not None
    line = outcome.failure.message.removeprefix("exited with 1: ")
    assert line.startswith("red 000")
    assert len(line) == 200
    assert line.isprintable()


def test_success_codes_of_the_flow_decide(bench: Bench) -> None:
    good = bench.run(CommandWork(("sh", "-c", "exit 3"), frozenset({0, 3})))
    bad = bench.run(ScriptWork("exit 0", "sh", frozenset({3})))
    assert (good.ending, good.exit_code) == (Ending.SUCCEEDED, 3)
    assert bad.ending is Ending.FAILED


@pytest.mark.parametrize(("name", "number"), [("KILL", signal.SIGKILL), ("TERM", signal.SIGTERM), ("SEGV", 11)])
def test_death_by_a_signal_is_told_by_its_name(bench: Bench, name: str, number: int) -> None:
    outcome = bench.script(f"kill -{int(number)} $$")
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.signal) == ("signal", name)
    assert outcome.failure.exit_code is None
    assert ("possibly out of memory" in outcome.failure.message) == (name == "KILL")


def test_a_missing_program_is_127_and_names_program_and_path(bench: Bench) -> None:
    outcome = bench.command("no-such-program")
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.exit_code) == ("exit", 127)
    assert "`no-such-program`" in outcome.failure.message
    assert PATH in outcome.failure.message


def test_a_file_that_is_not_executable_is_126(bench: Bench) -> None:
    program = bench.run_dir / "tool"
    program.write_text("#!/bin/sh\n")
    outcome = bench.command("./tool")
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.exit_code) == ("exit", 126)


def test_a_program_without_an_interpreter_line_is_126(bench: Bench) -> None:
    program = bench.run_dir / "tool"
    program.write_text("echo hello\n")
    program.chmod(0o755)
    outcome = bench.command("./tool")
    assert outcome.failure is not None
    assert outcome.failure.exit_code == 126
    assert "#!" in outcome.failure.message


def test_a_program_whose_interpreter_is_missing_is_127(bench: Bench) -> None:
    program = bench.run_dir / "tool"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o755)
    outcome = bench.command("./tool")
    assert outcome.failure is not None
    assert outcome.failure.exit_code == 127
    assert "interpreter" in outcome.failure.message


def test_a_missing_folder_is_told(bench: Bench) -> None:
    outcome = bench.command("true", workdir=bench.folder / "nowhere")
    assert outcome.failure is not None
    assert outcome.failure.kind == "exit"
    assert outcome.failure.exit_code is None
    assert outcome.failure.message == f"the folder `{bench.folder}/nowhere` does not exist"


def test_the_program_is_looked_up_on_the_path_of_the_attempt(bench: Bench) -> None:
    tools = bench.folder / "tools"
    tools.mkdir()
    (tools / "greet").write_text("#!/bin/sh\necho hello from the flow\n")
    (tools / "greet").chmod(0o755)
    launch = bench.start(CommandWork(("greet",)), env={"PATH": f"{tools}:{PATH}"})
    assert bench.end_of(launch).ending is Ending.SUCCEEDED
    assert log_of(launch) == "hello from the flow\n"


def test_a_process_sees_its_environment_and_nothing_of_the_engine(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_ENGINE", "1")
    launch = bench.start(CommandWork(("env", "-0")), env={"OWN": "a\nb"})
    bench.end_of(launch)
    seen = dict(pair.split("=", 1) for pair in log_of(launch).split("\0") if pair)
    assert seen.pop(MARKER) == f"{RUN_ID}.task_1.-.1.1"
    assert seen.pop("FLOW_TMP").startswith(f"{bench.slots}/")
    assert seen == {name: value for name, value in launch.env.items() if name != "FLOW_TMP"}


def test_a_process_has_an_empty_stdin_a_session_of_its_own_and_no_stray_descriptor(bench: Bench) -> None:
    text = "import os, sys; print(repr(sys.stdin.read()), os.getsid(0) == os.getpid(), sorted(os.listdir('/proc/self/fd')))"
    stray = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(stray, True)
    launch = bench.start(ScriptWork(text, (sys.executable,)))
    bench.end_of(launch)
    os.close(stray)
    assert log_of(launch) == "'' True ['0', '1', '2', '3']\n"  # 3 is the listing itself


@pytest.mark.parametrize(
    ("shell", "script"),
    [("sh", "false; echo went on"), ("sh", "echo $missing"), ("bash", "false | true"), ("bash", "echo $missing")],
)
def test_shells_stop_at_the_first_mistake(bench: Bench, shell: str, script: str) -> None:
    assert bench.script(script, shell=shell).ending is Ending.FAILED


def test_python_scripts_and_an_argv_of_ones_own_get_the_file(bench: Bench) -> None:
    first = bench.start(ScriptWork("print(6 * 7)", "python"))
    second = bench.start(ScriptWork("the text itself", ("cat",)))
    bench.end_of(first)
    bench.end_of(second)
    assert log_of(first) == "42\n"
    assert log_of(second) == "the text itself"


@pytest.mark.parametrize(("shell", "script"), [("sh", "echo 1"), ("bash", "echo 1"), ("python", "print(1)")])
def test_a_path_that_leads_nowhere_still_finds_the_shell(bench: Bench, shell: str, script: str) -> None:
    launch = bench.start(ScriptWork(script, shell), env={"PATH": "/nowhere"})
    bench.end_of(launch)
    assert log_of(launch) == "1\n"


def test_the_script_file_is_private_and_in_the_attempts_own_folder(bench: Bench) -> None:
    launch = bench.start(ScriptWork("echo $0"))
    bench.end_of(launch)
    path = Path(log_of(launch).strip())
    assert str(path) == launch.files.own("script")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_long_value_is_given_as_a_private_file(bench: Bench) -> None:
    long = "äö" * 40_000
    launch = bench.start(
        ScriptWork('stat -c %a "$BIG_FILE"; cat "$BIG_FILE"; test -z "${BIG-}"'),
        env={"BIG": long, "SMALL": "x" * 65536},
    )
    assert bench.end_of(launch).ending is Ending.SUCCEEDED
    assert log_of(launch) == "600\n" + long
    assert list(bench.folder.glob("*.env-*")) == []


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"NUL": "a\0b"}, "`NUL` holds a zero byte"),
        ({"HALF": "a\ud800b"}, "`HALF` holds half of a character"),
        ({"A=B": "1"}, "`A=B` is not an environment name"),
        ({f"V{number}": "x" * 60_000 for number in range(200)}, "more than the system allows"),
    ],
)
def test_an_environment_no_process_can_have_is_a_plain_failure(bench: Bench, env: dict[str, str], words: str) -> None:
    outcome = bench.command("true", env=env)
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.exit_code) == ("exit", None)
    assert words in outcome.failure.message


def test_an_argument_with_a_zero_byte_is_a_plain_failure(bench: Bench) -> None:
    outcome = bench.command("true", "a\0b")
    assert outcome.failure is not None
    assert "argument 1 holds a zero byte" in outcome.failure.message


def test_stdout_and_stderr_come_into_the_log_in_order_and_byte_by_byte(bench: Bench) -> None:
    launch = bench.start(ScriptWork(r"printf 'a\377\000'; printf 'b\r' >&2; printf c"))
    bench.end_of(launch)
    assert Path(launch.files.log).read_bytes() == b"a\xff\x00b\rc"


def test_temporary_files_are_removed_and_links_not_followed(bench: Bench) -> None:
    precious = bench.run_dir / "precious"
    precious.mkdir()
    (precious / "file").write_text("keep")
    launch = bench.start(ScriptWork(f'mkdir -p "$FLOW_TMP/a/b"; touch "$FLOW_TMP/a/c"; ln -s {precious} "$FLOW_TMP/l"'))
    assert bench.end_of(launch).ending is Ending.SUCCEEDED
    assert list(bench.slots.iterdir()) == []
    launch = bench.start(ScriptWork(f'rmdir "$FLOW_TMP"; ln -s {precious} "$FLOW_TMP"'))
    assert bench.end_of(launch).ending is Ending.SUCCEEDED
    assert (precious / "file").read_text() == "keep"
    assert list(bench.slots.iterdir()) == []


def test_each_task_has_an_empty_folder_of_its_own_for_temporary_files(bench: Bench) -> None:
    script = 'echo "$FLOW_TMP"; test -z "$(ls -A "$FLOW_TMP")"; '
    after_another = [bench.start(ScriptWork(script + "touch $FLOW_TMP/x")) for _ in range(1)]
    assert bench.end_of(after_another[0]).ending is Ending.SUCCEEDED
    launches = [bench.start(ScriptWork(script + "while [ ! -e go ]; do sleep 0.01; done")) for _ in range(3)]
    bench.turn_until(lambda: all(map(log_of, launches)))
    assert len(set(map(log_of, launches))) == 3
    (bench.run_dir / "go").touch()
    assert {bench.end_of(launch).ending for launch in launches} == {Ending.SUCCEEDED}
    again = bench.start(ScriptWork(script + 'rm -r "$FLOW_TMP"'))
    assert bench.end_of(again).ending is Ending.SUCCEEDED
    assert log_of(again) in set(map(log_of, launches))
    last = [bench.start(ScriptWork(script)) for _ in range(3)]
    assert {bench.end_of(launch).ending for launch in last} == {Ending.SUCCEEDED}


def test_a_folder_that_cannot_be_made_is_told(bench: Bench) -> None:
    bench.slots.write_text("in the way")
    outcome = bench.command("true")
    assert outcome.failure is not None
    assert outcome.failure.message.startswith(f"cannot be started: no folder `{bench.slots}` could be made: ")


def test_a_log_that_cannot_be_opened_loses_the_attempt(bench: Bench) -> None:
    launch = bench.launch(CommandWork(("true",)))
    Path(launch.files.log).mkdir()
    bench.runner.start(launch)
    outcome = bench.end_of(launch)
    assert outcome.ending is Ending.LOST
    assert outcome.failure is not None
    assert outcome.failure.kind == "lost"


def test_descriptors_and_zombies_are_back_to_baseline_after_two_hundred_attempts(bench: Bench) -> None:
    bench.command("true")
    before = open_descriptors()
    launches = [
        bench.start(CommandWork(("true",)), secrets=("hush-hush",) if number % 4 == 0 else ()) for number in range(200)
    ]
    for launch in launches:
        assert bench.end_of(launch).ending is Ending.SUCCEEDED
    assert open_descriptors() == before
    assert zombies() == []


def test_children_of_others_in_this_program_are_left_alone(bench: Bench) -> None:
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 7"], {})
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    bench.command("true")
    bench.script("setsid sleep 30 & exit 0")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def test_stopping_an_unknown_attempt_does_nothing(bench: Bench) -> None:
    launch = bench.start(CommandWork(("true",)))
    bench.end_of(launch)
    bench.stop(launch)
    assert bench.reactor.wait(0) == []


def test_closing_kills_what_runs_and_is_repeatable(bench: Bench) -> None:
    launch = bench.start(ScriptWork("trap '' TERM; setsid sleep 300 & echo $!; echo $$; wait"))
    bench.turn_until(lambda: len(log_of(launch).split()) == 2)
    bench.runner.close()
    bench.runner.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in log_of(launch).split())
    assert zombies() == []


def test_outputs_may_come_from_the_streams_and_the_exit_code(bench: Bench) -> None:
    outputs = declared(
        text={"from": "stdout"}, problems={"type": "json", "from": "stderr"}, code={"type": "int", "from": "exit_code"}
    )
    launch = bench.start(ScriptWork("echo hello; echo '[1]' >&2"), outputs=outputs)
    outcome = bench.end_of(launch)
    assert outcome.output == {"text": "hello", "problems": [1], "code": 0}
    assert log_of(launch) == "hello\n[1]\n"
