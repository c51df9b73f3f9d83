"""`flowctl validate --fix`: apply the safe fixes of what was found, or show what they would change."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, field

from flowctl.checking import CheckOptions
from flowctl.cli.frame import Frame
from flowctl.files import ProjectFiles, discover
from flowctl.findings.text import count_of
from flowctl.overlay import OverlaidFiles
from flowctl.patches import unified
from flowctl.problems import UsageProblem
from flowctl.reading import absolute
from flowctl.terminal.sanitise import visible
from flowctl.writing import replace_text
from specs.check import Checked, check_file
from specs.diagnostics import has_errors
from specs.fixing import Fixing, fix_flow


class Changes(Struct):
    """Changed files as they were first and as they are now, by absolute path, and the names they are shown by."""

    old: dict[Path, str] = field(default_factory=dict)
    new: dict[Path, str] = field(default_factory=dict)
    names: dict[Path, str] = field(default_factory=dict)
    has_errors: bool = False

    def take(self, fixing: Fixing) -> None:
        """Remember what the fixing of one flow has changed."""
        self.has_errors |= has_errors(fixing.checked.diagnostics)
        for name, text in fixing.texts.items():
            path = absolute(Path(name))
            self.old.setdefault(path, fixing.before[name])
            self.new[path] = text
            self.names[path] = name


def fix_flows(frame: Frame, paths: list[str], *, diff: bool, options: CheckOptions) -> bool:
    """Fix the flows at `paths` and say on stderr what was done; with `diff` only print it, as a patch on stdout.

    `options` say which findings there are to fix.

    Returns whether errors are left or, with `diff`, something would be fixed. Raises `NotWritten` for the first file
    that cannot be written; those before it are written.
    """
    if "-" in paths:
        raise UsageProblem("`--fix` writes files, and stdin is none", hint="give the path of a file")
    found = discover([Path(path) for path in paths], folder=Path.cwd())
    changes = Changes()
    files = ProjectFiles(found.named, found=found.files, most=options.limits.file_bytes)
    for path in found.files:
        fixing = _fix(path, files, changes.new, options)
        changes.take(fixing)
        _tell(frame, fixing, would=diff)
    for path, text in changes.new.items():
        if diff:
            frame.put(visible_patch(unified(changes.names[path], old=changes.old[path], new=text)))
        else:
            replace_text(path, old=changes.old[path], new=text)
    return changes.has_errors or (diff and bool(changes.new))


def visible_patch(patch: str) -> str:
    """A patch as it is printed: without its last line feed, which printing adds."""
    return patch.removesuffix("\n")


def _fix(path: Path, files: ProjectFiles, known: Mapping[Path, str], options: CheckOptions) -> Fixing:
    def check(texts: Mapping[str, str]) -> Checked:
        overlaid = OverlaidFiles(files, {**known, **{absolute(Path(name)): text for name, text in texts.items()}})
        return check_file(
            path.as_posix(),
            overlaid,
            catalogue=options.catalogue,
            limits=options.limits,
            policy=options.policy,
            now=options.now,
            more_rules=options.more_rules,
        )

    return fix_flow(check)


def _tell(frame: Frame, fixing: Fixing, *, would: bool) -> None:
    done = "would fix" if would else "fixed"
    for finding in fixing.applied:
        assert finding.fix is not None  # noqa: S101 - it was applied
        line, column = finding.place.source.position(finding.place.start)
        where = f"{visible(finding.place.source.name)}:{line}:{column}"
        frame.say(f"{where}: {done} {finding.code}: {visible(finding.fix.title)}")
    for dropped in fixing.dropped:
        line, column = dropped.finding.place.source.position(dropped.finding.place.start)
        where = f"{visible(dropped.finding.place.source.name)}:{line}:{column}"
        frame.say(f"{where}: left {dropped.finding.code} as it is: the fix would lead to {dropped.code}")
    if not fixing.is_finished:
        frame.say(f"{visible(fixing.checked.name)}: there is more to fix, run the command again")
    if fixing.applied:
        frame.say(f"{done} {count_of(len(fixing.applied), 'finding')} in {visible(fixing.checked.name)}")
