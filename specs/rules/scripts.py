"""Scripts, as far as their text tells without running a tool (FLOW703, 705 to 707)."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from itertools import islice

from specs.context import FlowContext, Rule
from specs.diagnostics import Diagnostic, Edit, Fix, Place
from specs.rules.edits import Hints
from specs.scripts import Script, each_once
from specs.shell_words import unset_names

MOST_IN_ONE = 25
"""Variables told of in one script: no more findings of one code are shown for a file."""

MOST_ECHOES = 1000
"""Lines that write something which are looked at in one script."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


GIVEN = _words(
    "FLOW_RUN_ID FLOW_NAME FLOW_TASK FLOW_ATTEMPT FLOW_ROUND FLOW_RUN_DIR FLOW_TMP FLOW_OUTPUT FLOW_OUTPUT_JSON "
    "FLOW_CONTROL FLOW_PROGRESS FLOW_CHECKPOINT FLOW_IDEMPOTENCY_KEY FLOW_DEADLINE FLOW_LOCK_TOKEN TRACEPARENT FLOW_ITEM "
    "FLOW_ITEM_INDEX FLOW_ITEM_KEY FLOW_STATUS FLOW_FAILED PATH HOME LANG TZ TMPDIR"
)
"""What every task is given (`LANGUAGE.md` 16), or some are: what is there only in a fan-out or a hook included."""

_OF_SHELLS = _words(
    "PWD OLDPWD IFS PPID PS1 PS2 PS4 OPTIND OPTARG OPTERR LINENO SHLVL SHELL RANDOM SECONDS BASH BASHPID BASHOPTS BASH_ENV "
    "BASH_SOURCE BASH_VERSION BASH_VERSINFO BASH_LINENO BASH_COMMAND BASH_REMATCH BASH_SUBSHELL BASH_ARGC BASH_ARGV "
    "FUNCNAME PIPESTATUS HOSTNAME HOSTTYPE OSTYPE MACHTYPE UID EUID GROUPS DIRSTACK REPLY COLUMNS LINES EPOCHSECONDS "
    "EPOCHREALTIME SRANDOM MAPFILE COPROC TIMEFORMAT HISTCMD SHELLOPTS"
)
_KNOWN_COMMANDS = _words(
    "echo printf test [ [[ true false : exit return cd mkdir rmdir rm cp mv ln ls cat head tail sort uniq wc cut tr sed "
    "awk grep find date sleep touch chmod chown tar gzip gunzip basename dirname realpath readlink stat du df seq set "
    "export local read shift unset trap wait kill umask ulimit curl wget jq sha256sum md5sum tee diff comm join paste "
    "if then elif else fi for while until do done case esac in function { } ! time"
)
_COMMAND_WORD = re.compile(
    r"(?:^|[\n;|&({`]|\b(?:then|do|else|elif|if|while|until)\b)[ \t]*"
    r"(?:[A-Za-z_]\w*+=(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s;|&\"'])*+[ \t]++)*+"
    r"([^\s;|&()<>`#]+)"
)
_WRITTEN = re.compile(
    r"\b(?:echo|printf)[ \t]+(?:-[en]+[ \t]+|--[ \t]+)?(?P<text>[\"']?(?P<name>[A-Za-z_]\w*)(?P<sign>:?=)[^\n]*)"
)
_TO_OUTPUT = re.compile(r">>?[ \t]*\"?\$\{?FLOW_OUTPUT\b")
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'")
_NAMED = re.compile(r"'([^'\n]{1,40})'")


class _Checks:
    """The checks of the scripts of one flow; each looks at one script."""

    def __init__(self, context: FlowContext) -> None:
        self.context = context
        self.hints = Hints()
        self.known = frozenset((*context.flow.env, *context.flow.host_env)) | GIVEN | _OF_SHELLS

    def of(self, script: Script) -> Iterator[Diagnostic]:
        """What is found in a script."""
        if script.language == "python":
            yield from _compiled(script)
        elif script.language != "other":
            if "$" in script.text:
                yield from self._unset_variables(script)
            if "FLOW_OUTPUT" in script.text:
                yield from self._undeclared_outputs(script)
        if script.outputs and script.language != "other" and "FLOW_OUTPUT" not in script.text:
            yield from self._outputs_never_written(script)

    def _unset_variables(self, script: Script) -> Iterator[Diagnostic]:
        """Every variable that a script reads is given to it or set by it: others end the script (`sh -u`)."""
        known = self.known | script.env if script.env else self.known
        for one in islice(unset_names(script.text, known), MOST_IN_ONE):
            if one.name.removesuffix("_FILE") in known:
                continue  # a large value is given as a file
            help_ = self.hints.help(one.name, sorted(known - _OF_SHELLS), "give it in `env`")
            if help_ is not None and not help_.startswith("did you mean"):
                help_ = f'give it in `env: {{{one.name}: "…"}}`, let it through with `host_env`, or write `${{{one.name}:-}}`'
            message = f"`${{{one.name}}}` is in no `env` and never set"
            yield script.finding("FLOW705", (one.start, one.end), message, help_=help_)

    def _outputs_never_written(self, script: Script) -> Iterator[Diagnostic]:
        """A script that declares outputs writes them. Silent where a program that it runs may do so."""
        written = [name for name, output in script.outputs.items() if output.source == "file" and not output.optional]
        for name in written if written and not _may_write(script) else ():
            yield self.context.finding(
                "FLOW706",
                (*script.task_path, "outputs", name),
                f"output `{name}` is declared, the script never writes `FLOW_OUTPUT`",
                key=True,
                help=f'write a line: `echo "{name}=$value" >> "$FLOW_OUTPUT"`, or read it `from: stdout`',
            )

    def _undeclared_outputs(self, script: Script) -> Iterator[Diagnostic]:
        """A script writes only outputs that are declared: any other fails the attempt."""
        for match in islice(_WRITTEN.finditer(script.text), MOST_ECHOES):
            name = match["name"]
            if name not in script.outputs and _goes_to_output(match["text"]):
                help_ = self.hints.help(name, script.outputs, None)
                is_near = help_ is not None and help_.startswith("did you mean")
                kind = "json" if match["sign"] == ":=" else "string"
                yield script.finding(
                    "FLOW707",
                    match.span("name"),
                    f"the script writes `{name}`, which is not declared",
                    help_=help_ if is_near else f"add it: `outputs: {{{name}: {{type: {kind}}}}}`",
                    fix=None if is_near else _declaration(self.context, script, name, kind),
                )


def scripts(context: FlowContext) -> Iterator[Diagnostic]:
    """Scripts are of the language they are for, read what is there, and write the outputs that are declared."""
    checks = _Checks(context)
    return each_once(found for script in context.scripts for found in checks.of(script))


def _compiled(script: Script) -> Iterator[Diagnostic]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(script.text, "<run>", "exec", dont_inherit=True)
    except SyntaxError as error:
        start = script.index_of(error.lineno or 1, error.offset or 1)
        problem = _NAMED.sub(r"`\1`", error.msg)
        yield script.finding("FLOW703", (start, start + 1), f"Python syntax: {problem}")
    except (ValueError, RecursionError, MemoryError, OverflowError):
        yield script.finding("FLOW703", None, "Python syntax: it is too deeply nested, or holds what is no text")


def _goes_to_output(text: str) -> bool:
    """Whether what is echoed goes into the file of outputs, and not to another command of the line."""
    target = _TO_OUTPUT.search(text)
    return target is not None and not re.search(r"[;|&>]", _QUOTED.sub("", text[: target.start()]))


def _may_write(script: Script) -> bool:
    """Whether the script runs something that is not known to leave the file of outputs alone."""
    if script.language == "python":
        return any(word in script.text for word in ("import", "exec", "open", "environ"))
    return any(word.strip("\"'") not in _KNOWN_COMMANDS for word in _COMMAND_WORD.findall(script.text))


def _declaration(context: FlowContext, script: Script, name: str, kind: str) -> Fix | None:
    """Declare an output before the others, or, where there are none, in a map before `run`."""
    if script.is_undo or not name.islower() or context.places.inherited((*script.task_path, "run")):
        return None
    path = (*script.task_path, "outputs")
    first = next(iter(script.outputs), None)
    if first is not None and context.places.inherited((*path, first)):
        return None
    key = context.places.place((*path, first) if first is not None else (*script.task_path, "run"), key=True)
    text = key.source.text
    before = text[text.rfind("\n", 0, key.start) + 1 : key.start]
    entry = f"{name}: {{type: {kind}}}" if first is not None else f"outputs: {{{name}: {{type: {kind}}}}}"
    if not before.strip():
        entry += "\n" + before
    elif before.rstrip().endswith(("{", ",")):
        entry += ", "
    else:
        return None
    return Fix(f"declare `{name}`", (Edit(Place(key.source, key.start, key.start), entry),))


RULES: tuple[Rule, ...] = (scripts,)
