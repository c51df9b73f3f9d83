"""Arms of `branch` and `switch`: what they name, whether they can be taken, what they leave out (FLOW206 to 209, 231 to
233)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from specs.context import FlowContext, Path, Rule
from specs.cycles import tangled_arms
from specs.diagnostics import Diagnostic, Label
from specs.expressions.types import comparable, of_value
from specs.graph import FlowGraph, Link, arm_key
from specs.literals import misfit
from specs.model import ParamSpec
from specs.model.parts import BranchArm, SwitchSpec
from specs.rules.edits import Hints
from specs.suggest import did_you_mean

_PARAMETER = re.compile(r"\s*params\.([a-z][a-z0-9_]*)\s*")


def unknown_arm(context: FlowContext) -> Iterator[Diagnostic]:
    """Every task named by an arm is a task of the same map."""
    hints = Hints()
    for graph in context.graphs:
        for link in graph.unknown:
            if link.kind == "arm":
                yield context.finding(
                    "FLOW206",
                    link.path,
                    f"an arm of `{link.upstream}` names `{link.named}`, which does not exist",
                    help=hints.help(link.named, graph.tasks, besides=link.upstream),
                    fix=hints.fix(context, link.path, link.named, graph.tasks, besides=link.upstream),
                )


def arm_leads_back(context: FlowContext) -> Iterator[Diagnostic]:
    """A branch decides about tasks that come after it."""
    for graph in context.graphs:
        for link in tangled_arms(graph):
            what = (
                "the branch itself" if link.task == link.upstream else f"`{link.task}`, which comes before the branch"
            )
            yield context.finding(
                "FLOW207",
                link.path,
                f"an arm of `{link.upstream}` names {what}",
                help="to run a task again, let the task that finds out say so with `retry_upstream`",
            )


def in_several_arms(context: FlowContext) -> Iterator[Diagnostic]:
    """Tells of a task that more than one arm of a branch leads to."""
    for graph in context.graphs:
        first: dict[tuple[str, str], Link] = {}
        told: set[tuple[str, str]] = set()
        for link in graph.links:
            pair = (link.upstream, link.task)
            if link.kind != "arm" or pair in told:
                continue
            other = first.setdefault(pair, link)
            if arm_key(other, graph) != arm_key(link, graph):
                told.add(pair)
                yield context.finding(
                    "FLOW208",
                    link.path,
                    f"`{link.task}` is in several arms of `{link.upstream}`",
                    help="it runs when any of them is taken",
                    labels=(Label(context.places.place(other.path), "the first of them"),),
                )


class _Branch(Struct, frozen=True):
    """A task with arms: where it stands and what it is."""

    task: str
    path: Path
    arms: tuple[BranchArm, ...] = ()
    switch: SwitchSpec | None = None


def _branches(graph: FlowGraph) -> Iterator[_Branch]:
    for task, spec in graph.having("branch", "switch"):
        path = (*graph.prefix, task)
        if spec.branch is not None:
            yield _Branch(task, (*path, "branch"), arms=tuple(spec.branch))
        if spec.switch is not None:
            yield _Branch(task, (*path, "switch"), switch=spec.switch)


def empty_arm(context: FlowContext) -> Iterator[Diagnostic]:
    """Every arm leads to a task, and every branch has an arm."""
    for graph in context.graphs:
        for branch in _branches(graph):
            for path, help_ in _empty(branch):
                yield context.finding("FLOW209", path, f"an arm of `{branch.task}` has no tasks", help=help_)


def _empty(branch: _Branch) -> Iterator[tuple[Path, str]]:
    remove = "name a task, or remove the arm"
    if branch.switch is None:
        if not branch.arms:
            yield branch.path, "write at least one arm: `- if: CONDITION`, `then: [TASK]`"
        for number, arm in enumerate(branch.arms):
            if not arm.then and not arm.otherwise:
                key = "then" if arm.otherwise is None else "else"
                yield (*branch.path, number, key), remove
        return
    for case, tasks in branch.switch.cases.items():
        if not tasks:
            yield (*branch.path, "cases", case), remove
    if branch.switch.default is not None and not branch.switch.default:
        yield (*branch.path, "default"), "name a task; without `default` a value that fits no case is a failure"


def arm_never_taken(context: FlowContext) -> Iterator[Diagnostic]:
    """`else` is the last arm and the only one, and no arm follows one that is always taken; told once for a branch."""
    for graph in context.graphs:
        for branch in _branches(graph):
            closing = next((number for number, arm in enumerate(branch.arms) if _is_always_taken(arm)), None)
            if closing is not None and closing + 1 < len(branch.arms):
                yield _never(context, branch, closing)


def _never(context: FlowContext, branch: _Branch, closing: int) -> Diagnostic:
    """What is wrong with the arms behind the one that is always taken; it stands at the first of them."""
    is_else = branch.arms[closing].otherwise is not None
    first, *others = branch.arms[closing + 1 :]
    if not is_else:
        which = (
            f"and the {len(others)} after it are" if len(others) > 1 else "and the one after it are" if others else "is"
        )
        message = f"this arm of `{branch.task}` {which} never taken: an arm before it is always true"
        help_ = "remove one of them"
    elif first.otherwise is not None:
        message, help_ = f"`{branch.task}` has two `else` arms", "put all tasks in one"
    else:
        message, help_ = f"`else` is not the last arm of `{branch.task}`", "move `else` to the end"
    place = context.places.place((*branch.path, closing, "else" if is_else else "if"), key=True)
    labels = (Label(place, "`else` takes whatever is left" if is_else else "always true"),)
    return context.finding("FLOW231", (*branch.path, closing + 1), message, help=help_, labels=labels)


def _is_always_taken(arm: BranchArm) -> bool:
    return arm.otherwise is not None or _is_true(arm.condition)


def _is_true(condition: object) -> bool:
    return condition is True or (isinstance(condition, str) and condition.strip().lower() == "true")


# --- switch -----------------------------------------------------------------------------------------------------------


def impossible_case(context: FlowContext) -> Iterator[Diagnostic]:
    """Every case of a switch over a parameter is a value that the parameter can have."""
    for graph in context.graphs:
        for branch in _branches(graph):
            parameter = _parameter(context, branch)
            if branch.switch is None or parameter is None:
                continue
            name, declared = parameter
            for case in branch.switch.cases:
                problem = misfit(case, declared)
                if problem is not None:
                    yield context.finding(
                        "FLOW232",
                        (*branch.path, "cases", case),
                        f"the case {_shown(case)} cannot occur: `params.{name}` is {problem.wanted}",
                        key=True,
                        help=_other_case(case, declared),
                    )


def impossible_case_of_type(context: FlowContext) -> Iterator[Diagnostic]:
    """Every case of a switch over anything else is of the type of its value and, of a state, is one."""
    switches = {
        (*branch.path, "value"): (branch, branch.switch)
        for graph in context.graphs
        for branch in _branches(graph)
        if branch.switch is not None and _parameter(context, branch) is None
    }
    for read in context.expressions.reads if switches else ():
        found = switches.get(read.use.path)
        if found is None or not read.type.is_known:
            continue
        branch, switch = found
        for case in switch.cases:
            known: tuple[str, ...] = ()
            if not comparable(of_value(case), read.type):
                message = f"is {read.type}"
            elif isinstance(case, str) and read.type.choices is not None and case not in read.type.choices:
                message, known = "never is that", read.type.choices
            else:
                continue
            path = (*branch.path, "cases", case)
            yield context.finding(
                "FLOW232",
                path,
                f"the case {_shown(case)} cannot occur: `{read.use.text.strip()}` {message}",
                key=True,
                help=did_you_mean(str(case), known) or "write a case of that type, or remove this one",
            )


def _other_case(case: object, declared: ParamSpec) -> str:
    if declared.type == "string" and not isinstance(case, str) and misfit(_written(case), declared) is None:
        return f'write `"{_written(case)}"`: text and numbers are never equal'
    values = _values(declared)
    if values:
        return f"it can be {', '.join(_shown(value) for value in values)}"
    return "remove the case"


def uncovered_choices(context: FlowContext) -> Iterator[Diagnostic]:
    """A switch over a parameter with choices has a case for each, or a default."""
    for graph in context.graphs:
        for branch in _branches(graph):
            parameter = _parameter(context, branch)
            if branch.switch is None or parameter is None or branch.switch.default is not None:
                continue
            values = _values(parameter[1])
            missing = [value for value in values if not _is_case(value, branch.switch)]
            if missing:
                yield context.finding(
                    "FLOW233",
                    (*branch.path, "cases"),
                    f"`{branch.task}` covers {len(values) - len(missing)} of the {len(values)} values of"
                    f" `params.{parameter[0]}` and has no default",
                    key=True,
                    help=f"add {', '.join(_shown(value) for value in missing)}, or `default`",
                )


def _parameter(context: FlowContext, branch: _Branch) -> tuple[str, ParamSpec] | None:
    """The parameter that a switch looks at, when it looks at nothing else."""
    value = branch.switch.value if branch.switch is not None else None
    match = _PARAMETER.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[1] not in context.flow.params:
        return None
    return match[1], context.flow.params[match[1]]


def _values(declared: ParamSpec) -> list[object]:
    if declared.choices is not None:
        return list(declared.choices)
    return [True, False] if declared.type == "bool" else []


def _is_case(value: object, switch: SwitchSpec) -> bool:
    return any(case == value and isinstance(case, bool) == isinstance(value, bool) for case in switch.cases)


def _shown(value: object) -> str:
    return f'`"{value}"`' if isinstance(value, str) else f"`{_written(value)}`"


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


RULES: tuple[Rule, ...] = (
    unknown_arm,
    arm_leads_back,
    in_several_arms,
    empty_arm,
    arm_never_taken,
    impossible_case,
    impossible_case_of_type,
    uncovered_choices,
)
