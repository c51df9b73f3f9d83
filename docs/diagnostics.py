"""Write a page for each diagnostic into `docs/reference/diagnostics`, from what `flowctl explain` prints.

Run it after a change of codes or of their explanations: `.venv/bin/python docs/diagnostics.py`. A test fails while a page is
not current.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from engine.connectors.catalogue import InstalledCatalogue
from flowctl.explanations import MAIN, Explanation, explanations
from flowctl.files import ProjectFiles
from specs.check import check_file
from specs.diagnostics import Severity

FOLDER = Path(__file__).parent / "reference" / "diagnostics"


def pages() -> dict[str, str]:
    """Every page by its file name."""
    return {f"{one.info.code}.md": page(one) for one in explanations()}


def page(one: Explanation) -> str:
    """The page of one code."""
    info = one.info
    kind = f"{info.severity.value}, {info.group}" + (", off unless asked for" if info.opt_in else "")
    parts = [f"# {info.code}: {info.title}", f"*{kind}*", one.text]
    for name, text in one.files.items():
        parts += [f"Beside the flow stands `{name}`:", f"```yaml file={name}\n# {name}\n{text}```"]
    for title, flow in (("Wrong", one.wrong), ("Right", one.right)):
        if flow is not None:
            parts += [f"{title}:", f"```{fence(one, flow)}\n{flow}```"]
    parts.append("[All diagnostics](../diagnostics.md)")
    return "\n\n".join(parts) + "\n"


def fence(one: Explanation, flow: str) -> str:
    """The words after the backquotes: the name of the file where others speak of it, the error that it has."""
    words = ["yaml", f"file={MAIN}"] if one.files else ["yaml"]
    return " ".join([*words, *(f"expect={code}" for code in errors_of(one, flow))])


def errors_of(one: Explanation, flow: str) -> list[str]:
    """The codes of the errors that the check of the flow alone finds."""
    with tempfile.TemporaryDirectory() as name:
        for file, text in {**one.files, MAIN: flow}.items():
            (Path(name) / file).write_text(text, encoding="utf-8")
        path = Path(name) / MAIN
        checked = check_file(str(path), ProjectFiles((path,)), catalogue=InstalledCatalogue({}))
    return [found.code for found in checked.diagnostics if found.severity is Severity.ERROR]


def main() -> int:
    """Bring every page up to date."""
    FOLDER.mkdir(exist_ok=True)
    current = pages()
    for old in FOLDER.glob("*.md"):
        if old.name not in current:
            old.unlink()
    for name, text in current.items():
        path = FOLDER / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stderr.write(f"brought up to date: {name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
