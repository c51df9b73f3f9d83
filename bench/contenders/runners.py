"""Peers that run a file of tasks from the command line: Dagu, doit, Luigi, Snakemake."""

from __future__ import annotations

import re
import shlex

from bench.contender import AT_ONCE, PEERS, PROGRAMS, Case, Command, Contender, Kind
from bench.contenders.versions import of_package, of_program, program_of, python_of
from bench.graphs import Graph
from bench.shapes import Work

DAGU_PROGRAM = str(PEERS / "dagu" / "node_modules" / "@dagu-org" / "dagu-linux-x64" / "bin" / "dagu")
_DOIT_DONE = re.compile(r"^\.  ", re.MULTILINE)
_LUIGI_DONE = re.compile(r"^done (\d+)$", re.MULTILINE)
_SNAKEMAKE_DONE = re.compile(r"(\d+) of \d+ steps \(100%\) done")


# --- Dagu ---------------------------------------------------------------------------------------------------------------


def _dagu_file(case: Case, graph: Graph) -> str:
    steps = "".join(
        f"  - name: {task.name}\n    command: {case.program} {case.mark(task.name)}\n"
        + (f"    depends: [{', '.join(task.needs)}]\n" if task.needs else "")
        for task in graph
    )
    broken = "    depends: [nowhere]\n" if case.broken else ""
    return f"type: graph\nmaxActiveSteps: {AT_ONCE}\nsteps:\n{steps}{broken}"


def _dagu_env(case: Case) -> dict[str, str]:
    return {"DAGU_HOME": str(case.state / "dagu")}


def _dagu_run(case: Case) -> Command:
    path = case.write("bench.yaml", _dagu_file(case, case.graph))
    return Command((DAGU_PROGRAM, "start", str(path)), _dagu_env(case))


def _dagu_validate(case: Case) -> Command:
    paths = [str(case.write(f"flows/flow_{n}.yaml", _dagu_file(case, graph))) for n, graph in enumerate(case.graphs)]
    if len(paths) == 1:
        return Command((DAGU_PROGRAM, "validate", paths[0]), _dagu_env(case))
    flows, program = shlex.quote(str(case.folder / "flows")), shlex.quote(DAGU_PROGRAM)
    loop = f"for flow in {flows}/*; do {program} validate $flow || exit; done"
    return Command(("sh", "-c", loop), _dagu_env(case), remark="one process for each file")


def _dagu_start(case: Case) -> Command:
    return Command((DAGU_PROGRAM, "version"), _dagu_env(case))


# --- doit, Luigi, Snakemake ---------------------------------------------------------------------------------------------


def _doit(case: Case) -> Command:
    case.write_json()
    path = case.write("dodo.py", (PROGRAMS / "dodo.py").read_text(encoding="utf-8"))
    store = str(case.state / "doit.db")
    return Command((str(program_of("doit", "doit")), "-f", str(path), "--db-file", store, "-n", str(AT_ONCE)))


def _count_doit(case: Case, output: str) -> int:  # noqa: ARG001 - the signature of `Count`
    return len(_DOIT_DONE.findall(output))


def _luigi(case: Case) -> Command:
    remark = "marks what is done with empty files"
    return Command((python_of("luigi"), str(PROGRAMS / "luigi_flow.py"), str(case.write_json())), remark=remark)


def _count_luigi(case: Case, output: str) -> int:  # noqa: ARG001 - the signature of `Count`
    found = _LUIGI_DONE.search(output)
    return int(found[1]) if found else 0


def _snakemake(case: Case) -> Command:
    case.write_json()
    path = case.write("Snakefile", (PROGRAMS / "Snakefile").read_text(encoding="utf-8"))
    argv = (str(program_of("snakemake", "snakemake")), "-c", str(AT_ONCE), "-s", str(path), "--nocolor")
    env = {"XDG_CACHE_HOME": str(case.folder / "home"), "PATH": f"{program_of('snakemake', '')}:/usr/bin:/bin"}
    return Command(argv, env, remark="marks what is done with empty files")


def _count_snakemake(case: Case, output: str) -> int:  # noqa: ARG001 - the signature of `Count`
    found = _SNAKEMAKE_DONE.search(output)
    return int(found[1]) - 1 if found else 0  # its rule `all` is one more


DAGU = Contender(
    "Dagu",
    Kind.PEER,
    of_program(DAGU_PROGRAM, "version"),
    {Work.RUN: _dagu_run, Work.VALIDATE: _dagu_validate, Work.START: _dagu_start},
)
DOIT = Contender("doit", Kind.PEER, of_package("doit", "doit"), {Work.RUN: _doit}, _count_doit)
LUIGI = Contender("Luigi", Kind.PEER, of_package("luigi", "luigi"), {Work.RUN: _luigi}, _count_luigi)
SNAKEMAKE = Contender(
    "Snakemake", Kind.PEER, of_package("snakemake", "snakemake"), {Work.RUN: _snakemake}, _count_snakemake
)
