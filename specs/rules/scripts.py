"""Scripts, as far as their text tells without running a tool (FLOW703, 705 to 707)."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator

from specs.context import FlowContext, Rule
from specs.diagnostics import Diagnostic, Edit, Fix, Place
from specs.expressions.templates import contains_template
from specs.rules.edits import Hints
from specs.scripts import Script, scripts_of
from specs.shell_words import unset_names


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
    r"(?:[A-Za-z_]\w*=(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s;|&]*)[ \t]+)*"
    r"([^\s;|&()<>`#]+)"
)
_WRITTEN = re.compile(
    r"\b(?:echo|printf)[ \t]+(?:-[en]+[ \t]+|--[ \t]+)?[\"']?(?P<name>[A-Za-z_]\w*)(?P<sign>:?=)"
    r"(?:\"[^\"\n]*\"|'[^'\n]*'|[^\n;|&\"'>]|\"[^\"\n;|&>]*)*?[\"']?[ \t]*>>?[ \t]*\"?\$\{?FLOW_OUTPUT\b(?!_)"
)


def python_syntax(context: FlowContext) -> Iterator[Diagnostic]:
    """A script for Python can be compiled."""
    for script in _whole(context):
        if script.language == "python":
            yield from _compiled(script)


def _compiled(script: Script) -> Iterator[Diagnostic]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(script.text, "<run>", "exec", dont_inherit=True)
    except SyntaxError as error:
        start = script.index_of(error.lineno or 1, error.offset or 1)
        yield script.finding("FLOW703", (start, start + 1), f"Python syntax: {error.msg}")
    except (ValueError, RecursionError, MemoryError, OverflowError):
        yield script.finding("FLOW703", None, "Python syntax: it is too deeply nested, or holds what is no text")


def unset_variables(context: FlowContext) -> Iterator[Diagnostic]:
    """Every variable that a script for a shell reads is given to it or set by it: others end the script (`sh -u`)."""
    flow_names = frozenset((*context.flow.env, *context.flow.host_env)) | GIVEN | _OF_SHELLS
    hints = Hints()
    for script in _whole(context):
        if script.language not in ("sh", "bash") or "$" not in script.text:
            continue
        known = flow_names | script.env if script.env else flow_names
        for one in unset_names(script.text, known):
            if one.name.removesuffix("_FILE") in known:
                continue  # a large value is given as a file
            help_ = hints.help(one.name, sorted(known - _OF_SHELLS), "give it in `env`")
            if help_ is not None and not help_.startswith("did you mean"):
                help_ = f'give it in `env: {{{one.name}: "…"}}`, let it through with `host_env`, or write `${{{one.name}:-}}`'
            message = f"`${{{one.name}}}` is in no `env` and never set"
            yield script.finding("FLOW705", (one.start, one.end), message, help_=help_)


def outputs_never_written(context: FlowContext) -> Iterator[Diagnostic]:
    """A script that declares outputs writes them. Silent where a program that it runs may do so."""
    for script in _whole(context):
        written = [name for name, output in script.outputs.items() if output.source == "file" and not output.optional]
        if not written or "FLOW_OUTPUT" in script.text or script.language == "other" or _may_write(script):
            continue
        for name in written:
            yield context.finding(
                "FLOW706",
                (*script.task_path, "outputs", name),
                f"output `{name}` is declared, the script never writes `FLOW_OUTPUT`",
                key=True,
                help=f'write a line: `echo "{name}=$value" >> "$FLOW_OUTPUT"`, or read it `from: stdout`',
            )


def _may_write(script: Script) -> bool:
    """Whether the script runs something that is not known to leave the file of outputs alone."""
    if script.language == "python":
        return any(word in script.text for word in ("import", "exec", "open", "environ"))
    return any(word.strip("\"'") not in _KNOWN_COMMANDS for word in _COMMAND_WORD.findall(script.text))


def undeclared_outputs(context: FlowContext) -> Iterator[Diagnostic]:
    """A script writes only outputs that are declared: any other fails the attempt."""
    hints = Hints()
    for script in _whole(context):
        if script.language not in ("sh", "bash") or "FLOW_OUTPUT" not in script.text:
            continue
        for match in _WRITTEN.finditer(script.text):
            name = match["name"]
            if name not in script.outputs:
                help_ = hints.help(name, script.outputs, None)
                is_near = help_ is not None and help_.startswith("did you mean")
                kind = "json" if match["sign"] == ":=" else "string"
                yield script.finding(
                    "FLOW707",
                    match.span("name"),
                    f"the script writes `{name}`, which is not declared",
                    help_=help_ if is_near else f"add it: `outputs: {{{name}: {{type: {kind}}}}}`",
                    fix=None if is_near else _declaration(context, script, name, kind),
                )


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


def _whole(context: FlowContext) -> Iterator[Script]:
    """The scripts without expressions: of the others FLOW410 says what is wrong."""
    return (script for script in scripts_of(context) if not contains_template(script.text))


RULES: tuple[Rule, ...] = (python_syntax, unset_variables, outputs_never_written, undeclared_outputs)
