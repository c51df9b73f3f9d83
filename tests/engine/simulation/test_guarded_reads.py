"""A read under a guard that validates finds what it reads: random flows, simulated with every task failing or not."""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from engine.compile import compile_flow
from engine.outcomes import Failure
from engine.parameters import bind_parameters
from engine.simulation import Setup, Stub, StubSet, play
from specs.check import check_text

ENDS = ["succeeded", "failed", "skipped", "blocked", "cancelled"]
EDGES = ["after", "after_end", "after_failure"]
READS = 8
"""Tasks, and outputs, of a flow that read something under a guard."""


@st.composite
def guards(draw: st.DrawFn, tasks: list[str]) -> str:
    """A condition about how tasks have ended."""
    task = draw(st.sampled_from(tasks))
    ends = draw(st.lists(st.sampled_from(ENDS), min_size=1, max_size=4, unique=True))
    leaf = draw(
        st.sampled_from(
            [
                f"tasks.{task}.status == '{ends[0]}'",
                f"tasks.{task}.status != '{ends[0]}'",
                f"tasks.{task}.status in {ends}",
                f"tasks.{task}.status not in {ends}",
                f"tasks.{task}.output is defined",
                f"tasks.{task}.error is defined",
                "params.p",
            ]
        )
    )
    more = draw(st.sampled_from(["", "", "not", "and", "or"]))
    if more == "not":
        return f"not ({leaf})"
    return f"({leaf} {more} {draw(guards(tasks))})" if more else leaf


@st.composite
def tasks_of(draw: st.DrawFn, number: int) -> str:
    """A task that comes after some of those before it."""
    before = [f"t{n}" for n in range(number)]
    keys = []
    for name in draw(st.lists(st.sampled_from(before), max_size=3, unique=True)) if before else []:
        keys.append((draw(st.sampled_from(["after", "after", *EDGES])), name))
    written = [
        f"{kind}: [{', '.join(name for of, name in keys if of == kind)}]" for kind in sorted({of for of, _ in keys})
    ]
    if any(of == "after_failure" for of, _ in keys) and draw(st.booleans()):
        written.append("recovers: true")
    if draw(st.booleans()):
        written.append(draw(st.sampled_from(["allow_failure: true", "if: params.p", "if: params.q"])))
    if len(keys) > 1 and draw(st.booleans()):
        written.append(draw(st.sampled_from(["join: strict", "join: any", "join: 2"])))
    return f"  t{number}: {{{', '.join([*written, 'exec: [x]', 'outputs: {v: {type: string, from: stdout}}'])}}}\n"


class Guarded(Struct, frozen=True):
    """Tasks of which something is read under guards: by tasks that come after some of them, and by outputs of the flow."""

    head: str
    tasks: str
    readers: Mapping[str, str]
    outputs: Mapping[str, str]

    def text(self, refused: Container[str]) -> str:
        """The flow without the reads that are refused."""
        readers = "".join(f"  {name}: {text}\n" for name, text in self.readers.items() if name not in refused)
        outputs = "".join(f"  {name}: {text}\n" for name, text in self.outputs.items() if name not in refused)
        params = "params: {p: {type: bool, default: true}, q: {type: bool, default: true}}\n"
        return (
            f"version: 1\nname: random\n{self.head}{params}tasks:\n{self.tasks}{readers}outputs:\n{outputs}  last: 1\n"
        )


@st.composite
def guarded(draw: st.DrawFn) -> Guarded:
    names = [f"t{n}" for n in range(draw(st.integers(1, 5)))]
    readers = {}
    for number in range(READS):
        edges = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
        kind = draw(st.sampled_from(["after", "after_end"]))
        condition = f'if: "{draw(guards(edges))}", ' if draw(st.booleans()) else ""
        value = draw(expressions(edges))
        readers[f"r{number}"] = f'{{{kind}: [{", ".join(edges)}], {condition}set: {{v: "${{{{ {value} }}}}"}}}}'
    outputs = {f"o{number}": f'"${{{{ {draw(expressions(names))} }}}}"' for number in range(READS)}
    head = draw(st.sampled_from(["", "when_failed: drain\n", "when_failed: cancel\n"]))
    return Guarded(head, "".join(draw(tasks_of(number)) for number in range(len(names))), readers, outputs)


@st.composite
def expressions(draw: st.DrawFn, tasks: list[str]) -> str:
    """One thing or another, as a guard decides."""
    reads = [f"tasks.{task}.{what}" for task in tasks for what in ("output.v", "error.message")]
    then, otherwise = (draw(st.sampled_from([*reads, "''"])) for _ in range(2))
    return f"{then} if {draw(guards(tasks))} else {otherwise}"


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(flow=guarded(), failing=st.sets(st.integers(0, 4)), p=st.booleans(), q=st.booleans())
def test_what_a_guard_lets_a_flow_read_is_there(flow: Guarded, failing: set[int], *, p: bool, q: bool) -> None:
    first = check_text(flow.text(()).encode(), "random.yaml", None)
    refused = {str(one.path[1]) for one in first.diagnostics if one.code == "FLOW331"}
    checked = check_text(flow.text(refused).encode(), "random.yaml", None)
    event("valid" if checked.ok else "refused")
    assume(checked.ok)
    event(f"{2 * READS - len(refused)} reads")
    plan = compile_flow(checked, base=Path("/flows"))
    stubs = StubSet({f"t{n}": Stub(failure=Failure("exit", "it failed", exit_code=1)) for n in failing})
    played = play(Setup(plan, bind_parameters(plan.params, {}, {"p": p, "q": q}), stubs=stubs))
    found = [getattr(entry.event, "failure", None) for entry in played.trace.entries]
    assert [one for one in found if one is not None and one.kind == "expression"] == []
