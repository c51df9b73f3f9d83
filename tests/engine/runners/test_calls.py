"""Python callables in warm workers."""

from __future__ import annotations

import signal
import textwrap
from pathlib import Path
from typing import Any

import pytest

from engine.attempts import CallWork, Launch
from engine.outcomes import Ending, Failure, Outcome
from engine.runners.masked_stream import MASK
from engine.runners.trees import MARKER
from tests.engine.runners.bench import RUN_ID, Bench, declared, is_alive, log_of, open_descriptors, zombies
from tests.engine.runners.canaries import CANARIES, FIRED

MODULE = """
import datetime, os, signal, subprocess, sys, threading, time
from typing import Literal, Optional

def add(a: int, b: int = 1) -> dict: return {"sum": a + b}
def pid() -> int: return os.getpid()
def nothing(): print("ran")
def echo(**values): return values
def say(text):
    print(text); print(text, file=sys.stderr); os.system("echo from a child")
def where(): return {"cwd": os.getcwd(), "env": dict(os.environ), "path": sys.path[0], "argv": sys.argv}
class Trouble(Exception): pass
def fail(text): raise Trouble(text)
def leave(code): sys.exit(code)
def die(code): os._exit(code)
def kill(number): print("last words"); os.kill(os.getpid(), number)
def odd(what):
    return {"set": {1}, "date": datetime.date(2026, 1, 1), "nan": float("nan"), "key": {1: 2}, "big": "x" * 5000}[what]
def cyclic():
    a = []; a.append(a); return a
async def later(n: int): import asyncio; await asyncio.sleep(0); return {"n": n}
def typed(i: int = 0, f: float = 0.5, s: str = "", b: bool = False, l: list[int] = [], d: dict[str, float] = {},
          o: Optional[int] = None, u: "int | str" = 0, c: Literal["a", 1] = "a", x: "Unknown" = 0): return {}
def simple(i: int = 0, f: float = 0.5, s: str = "", b: bool = False, l: list[int] = [], d: dict[str, float] = {},
           o: Optional[int] = None, u: "int | str" = 0, c: Literal["a", 1] = "a"): return {}
def hang(deaf=False):
    if deaf: signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sleep", "300"], start_new_session=True)
    print(os.getpid(), child.pid, flush=True)
    try:
        time.sleep(300)
    finally:
        print("cleaned", flush=True)
def spawn():
    print(subprocess.Popen(["sleep", "300"], start_new_session=True).pid)
def forked():
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            print(os.getpid(), flush=True); os.write(write, b"1"); time.sleep(300)
        os._exit(0)
    os.wait(); os.read(read, 1); os.close(read); os.close(write)
def thread():
    threading.Thread(target=time.sleep, args=(300,), daemon=True).start(); return os.getpid()
def deaf():
    os.closerange(3, 100); time.sleep(300)
def spoil():
    os.environ["SPOILED"] = "yes"; os.environ.pop("HOME", None); os.putenv("KEPT", "spoiled"); os.unsetenv("LANG")
def seen(): return dict(zip(("spoiled", "kept", "lang"), os.popen("echo $SPOILED,$KEPT,$LANG").read().strip().split(",")))
def swap():
    globals()["add"] = lambda z: {"z": z}
def folder(leave=False):
    found = os.environ["FLOW_TMP"]
    held = os.listdir(found)
    if leave:
        open(os.path.join(found, "left"), "w").close()
    return {"folder": found, "held": held}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "mine.py").write_text(textwrap.dedent(MODULE))
    return folder


def start(bench: Bench, root: Path, name: str, arguments: dict[str, Any] | None = None, **fields: Any) -> Launch:
    target = name if ":" in name else f"mine:{name}"
    return bench.start(CallWork(target, arguments or {}, root), **fields)


def call(bench: Bench, root: Path, name: str, arguments: dict[str, Any] | None = None, **fields: Any) -> Outcome:
    return bench.end_of(start(bench, root, name, arguments, **fields))


def failure_of(outcome: Outcome) -> Failure:
    assert outcome.ending is Ending.FAILED
    assert outcome.failure is not None
    return outcome.failure


def test_a_returned_map_is_the_output(bench: Bench, root: Path) -> None:
    assert call(bench, root, "add", {"a": 2, "b": 3}).output == {"sum": 5}
    assert call(bench, root, "later", {"n": 4}).output == {"n": 4}
    assert call(bench, root, "nothing").output == {}


def test_a_folder_for_temporary_files_is_used_again_if_it_was_left_empty(bench: Bench, root: Path) -> None:
    first, second, third = [
        call(bench, root, "folder", {"leave": leave}).output["folder"] for leave in (False, True, False)
    ]
    assert first == second != third
    assert call(bench, root, "folder").output == {"folder": third, "held": []}
    assert [path.name for path in bench.slots.iterdir()] == [Path(str(third)).name]


def test_arguments_of_any_size_and_kind_arrive(bench: Bench, root: Path) -> None:
    text = "x" * (1 << 20)
    given = {"a": 10**30, "b": None, "c": [1.5, -0.0, True], "d": text}
    assert call(bench, root, "echo", given, output_limit_bytes=4 << 20).output == given


def test_declared_outputs_are_the_keys_of_the_returned_map(bench: Bench, root: Path) -> None:
    assert call(bench, root, "add", {"a": 2}, outputs=declared(sum="int")).output == {"sum": 3}
    assert (
        "`sum` is no `string`" in failure_of(call(bench, root, "add", {"a": 2}, outputs=declared(sum="string"))).message
    )
    other = failure_of(call(bench, root, "add", {"a": 2}, outputs=declared(total="int")))
    assert (other.kind, "`sum` is not declared" in other.message) == ("output", True)
    none = failure_of(call(bench, root, "nothing", outputs=declared(total="int")))
    assert "a map is expected; null was returned" in none.message


def test_workers_are_warm(bench: Bench, root: Path) -> None:
    first = call(bench, root, "pid").output
    second = call(bench, root, "pid", env={"FLOW_ATTEMPT": "2"}).output
    assert first == second
    assert call(bench, root, "pid", env={"MODE": "other"}).output != first


def test_a_module_that_was_edited_is_imported_anew(bench: Bench, root: Path) -> None:
    (root / "edited.py").write_text("import helper\ndef get(x): print('ran'); return {'x': x, 'v': helper.VALUE}")
    (root / "helper.py").write_text("VALUE = 1")
    assert call(bench, root, "edited:get", {"x": "ü"}).output == {"x": "ü", "v": 1}
    (root / "helper.py").write_text("VALUE = 'another'")
    launch = start(bench, root, "edited:get", {"x": "ü"}, secrets=("hush-hush",))
    assert bench.end_of(launch).output == {"x": "ü", "v": "another"}
    assert log_of(launch) == "ran\n"
    assert call(bench, root, "pid").ending is Ending.SUCCEEDED


def test_calls_at_the_same_time_have_workers_of_their_own(bench: Bench, root: Path) -> None:
    launches = [start(bench, root, "pid") for _ in range(3)]
    assert len({bench.end_of(launch).output["value"] for launch in launches}) == 3


def test_a_worker_in_which_a_thread_still_runs_is_not_used_again(bench: Bench, root: Path) -> None:
    first = call(bench, root, "thread").output["value"]
    assert call(bench, root, "pid").output["value"] != first
    assert isinstance(first, int)
    bench.turn_until(lambda: not is_alive(first))


def test_a_call_has_its_own_environment_folder_and_root(bench: Bench, root: Path) -> None:
    seen = call(bench, root, "where", env={"OWN": "1"})
    assert seen.output["cwd"] == str(bench.run_dir)
    assert seen.output["path"] == str(root)
    env = seen.output["env"]
    assert isinstance(env, dict)
    assert env.pop(MARKER) == f"{RUN_ID}.task_1.-.1.1"
    assert set(env) == {"PATH", "FLOW_OUTPUT", "FLOW_OUTPUT_JSON", "FLOW_CONTROL", "FLOW_TMP", "OWN"}


@pytest.mark.parametrize("name", ["engine", "specs", "flowctl", "local"])
def test_modules_of_the_user_win_over_ours(bench: Bench, root: Path, name: str) -> None:
    (root / f"{name}.py").write_text("def me(): return {'file': __file__}")
    assert call(bench, root, f"{name}:me").output == {"file": str(root / f"{name}.py")}


def test_a_coroutine_runs_beside_a_module_of_the_user_named_like_one_of_python(bench: Bench, root: Path) -> None:
    (root / "concurrent.py").write_text("def me(): return {'file': __file__}")
    (root / "waits.py").write_text("async def me(): return {'n': 1}")
    assert call(bench, root, "waits:me").output == {"n": 1}


def test_everything_it_prints_goes_to_the_log_of_its_attempt(bench: Bench, root: Path) -> None:
    first = start(bench, root, "say", {"text": "one ü\udc80"})
    bench.end_of(first)
    second = start(bench, root, "say", {"text": "two"})
    bench.end_of(second)
    assert sorted(log_of(first).splitlines()) == ["from a child", "one ü\\udc80", "one ü\\udc80"]
    assert sorted(log_of(second).splitlines()) == ["from a child", "two", "two"]


def test_a_call_that_prints_nothing_leaves_no_log_and_its_file_serves_another(bench: Bench, root: Path) -> None:
    quiet, other = start(bench, root, "pid"), start(bench, root, "add", {"a": 1})
    bench.end_of(quiet)
    bench.end_of(other)
    loud = start(bench, root, "say", {"text": "one"})
    bench.end_of(loud)
    assert [Path(one.files.log).exists() for one in (quiet, other)].count(True) == 1
    assert sorted(log_of(loud).splitlines()) == ["from a child", "one", "one"]
    hidden = start(bench, root, "say", {"text": "hush-hush"}, secrets=("hush-hush",))
    bench.end_of(hidden)
    assert sorted(log_of(hidden).splitlines()) == [MASK, MASK, "from a child"]
    assert sorted(log_of(loud).splitlines()) == ["from a child", "one", "one"]


def test_what_a_call_does_to_its_environment_ends_with_it(bench: Bench, root: Path) -> None:
    env = {"KEPT": "kept", "LANG": "C"}
    assert call(bench, root, "seen", env=env).output == {"spoiled": "", "kept": "kept", "lang": "C"}
    call(bench, root, "spoil", env=env)
    assert call(bench, root, "seen", env=env).output == {"spoiled": "", "kept": "kept", "lang": "C"}


def test_a_function_put_in_the_place_of_another_is_held_against_its_own_signature(bench: Bench, root: Path) -> None:
    assert call(bench, root, "add", {"a": 1}).output == {"sum": 2}
    call(bench, root, "swap")
    assert call(bench, root, "add", {"z": 1}).output == {"z": 1}
    assert "cannot be called like this" in failure_of(call(bench, root, "add", {"a": 1})).message


def test_an_exception_is_told_by_name_and_its_traceback_is_in_the_log_only(bench: Bench, root: Path) -> None:
    launch = start(bench, root, "fail", {"text": "first line\nsecond line"})
    failure = failure_of(bench.end_of(launch))
    assert (failure.kind, failure.name) == ("error", "Trouble")
    assert failure.message == "`mine:fail` raised `Trouble`: first line second line"
    assert "Traceback" in log_of(launch)
    assert "call_worker" not in log_of(launch)


def test_secrets_are_masked_in_log_message_and_output(bench: Bench, root: Path) -> None:
    secret = "hunter2-hunter2"
    launch = start(bench, root, "fail", {"text": secret}, secrets=(secret,))
    assert failure_of(bench.end_of(launch)).message == f"`mine:fail` raised `Trouble`: {MASK}"
    assert secret not in log_of(launch)
    assert MASK in log_of(launch)
    assert call(bench, root, "echo", {"a": [secret]}, secrets=(secret,)).output == {"a": [MASK]}


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("missing:run", "ModuleNotFoundError"),
        ("mine:missing", "AttributeError"),
        ("mine:os", "TypeError"),
        ("broken:run", "SyntaxError"),
    ],
)
def test_what_cannot_be_called_is_an_error(bench: Bench, root: Path, target: str, name: str) -> None:
    (root / "broken.py").write_text("def run(:")
    failure = failure_of(call(bench, root, target))
    assert (failure.kind, failure.name) == ("error", name)


@pytest.mark.parametrize(
    "arguments",
    [
        {"i": True}, {"i": 1.0}, {"i": "1"}, {"f": "1"}, {"f": False}, {"s": 1}, {"b": 1}, {"l": "ab"}, {"l": [1, "2"]},
        {"d": []}, {"d": {"a": "b"}}, {"o": "x"}, {"u": 1.5}, {"c": "b"}, {"c": True}, {"unknown": 1},
    ],
)  # fmt: skip
def test_arguments_that_do_not_fit_are_refused(bench: Bench, root: Path, arguments: dict[str, Any]) -> None:
    failure = failure_of(call(bench, root, "simple", arguments))
    assert (failure.kind, failure.name) == ("error", "TypeError")
    assert f"{next(iter(arguments))}" in failure.message


def test_arguments_that_fit_are_taken(bench: Bench, root: Path) -> None:
    fitting = {"i": 1, "f": 1, "s": "", "b": True, "l": [1], "d": {"a": 1}, "o": None, "u": "x", "c": 1}
    assert call(bench, root, "simple", fitting).ending is Ending.SUCCEEDED
    assert call(bench, root, "typed", {**fitting, "x": 5}).ending is Ending.SUCCEEDED


def test_a_missing_argument_is_named(bench: Bench, root: Path) -> None:
    assert "missing a required argument: 'a'" in failure_of(call(bench, root, "add", {})).message


@pytest.mark.parametrize("what", ["set", "date", "nan", "key", "big"])
def test_what_is_not_json_or_too_large_is_an_output_failure(bench: Bench, root: Path, what: str) -> None:
    failure = failure_of(call(bench, root, "odd", {"what": what}, output_limit_bytes=2000))
    assert failure.kind == "output"
    assert "`mine:odd`" in failure.message


def test_a_cyclic_value_is_an_output_failure(bench: Bench, root: Path) -> None:
    assert failure_of(call(bench, root, "cyclic")).kind == "output"


def test_a_worker_that_ends_or_dies_is_told_and_replaced(bench: Bench, root: Path) -> None:
    left = failure_of(call(bench, root, "leave", {"code": 3}))
    assert (left.kind, left.name) == ("error", "SystemExit")
    ended = failure_of(call(bench, root, "die", {"code": 7}))
    assert (ended.kind, ended.exit_code) == ("exit", 7)
    killed = failure_of(call(bench, root, "kill", {"number": int(signal.SIGSEGV)}))
    assert (killed.kind, killed.signal, killed.message) == ("signal", "SEGV", "killed by SIGSEGV: last words")
    assert call(bench, root, "add", {"a": 1}).output == {"sum": 2}


def test_a_worker_that_cannot_hear_us_any_more_is_ended(bench: Bench, root: Path) -> None:
    failure = failure_of(call(bench, root, "deaf"))
    assert failure.kind == "exit"
    assert "closed the descriptors" in failure.message


@pytest.mark.parametrize("deaf", [False, True])
def test_a_stop_ends_the_worker_and_what_it_started(bench: Bench, root: Path, deaf: bool) -> None:
    launch = start(bench, root, "hang", {"deaf": deaf})
    bench.turn_until(lambda: len(log_of(launch).split()) >= 2)
    pids = [int(pid) for pid in log_of(launch).split()]
    bench.stop(launch, grace_s=0.1 if deaf else 10)
    assert bench.end_of(launch).ending is Ending.STOPPED
    assert not any(map(is_alive, pids))
    assert log_of(launch).endswith("cleaned\n") == (not deaf)
    assert zombies() == []


@pytest.mark.parametrize("name", ["spawn", "forked"])
def test_what_a_call_left_running_is_ended_and_the_worker_is_used_again(bench: Bench, root: Path, name: str) -> None:
    before = call(bench, root, "pid").output
    launch = start(bench, root, name)
    outcome = bench.end_of(launch)
    assert outcome.ending is Ending.SUCCEEDED
    assert outcome.notes[0].startswith("left a process running, which was ended: ")
    assert not is_alive(int(log_of(launch)))
    assert call(bench, root, "pid").output == before


def test_a_missing_folder_and_an_impossible_environment_are_told(bench: Bench, root: Path) -> None:
    assert "does not exist" in failure_of(call(bench, root, "nothing", workdir=bench.folder / "nowhere")).message
    assert "zero byte" in failure_of(call(bench, root, "nothing", env={"A": "a\0b"})).message


def test_arguments_arrive_byte_by_byte_and_nothing_fires(bench: Bench, root: Path) -> None:
    values = {f"v{number}": text for number, text in enumerate(CANARIES)}
    assert call(bench, root, "echo", values).output == values
    assert not (bench.run_dir / FIRED).exists()


def test_a_large_argument_arrives(bench: Bench, root: Path) -> None:
    values = {"a": ["x" * 1000] * 3000}
    assert call(bench, root, "echo", values, output_limit_bytes=10_000_000).output == values


def test_descriptors_are_back_to_baseline(bench: Bench, root: Path) -> None:
    call(bench, root, "nothing")
    before = open_descriptors()
    for number in range(30):
        call(bench, root, "nothing", secrets=("hush-hush",) if number % 2 else ())
    assert open_descriptors() == before
