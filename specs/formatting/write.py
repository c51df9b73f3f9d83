"""From the tree to text: two columns for each level, maps and lists in brackets where they fit on the line."""

from __future__ import annotations

from specs.formatting.scalars import block_head, block_lines, flowing_lines, keeps_end, takes_lines, written
from specs.formatting.tree import Alias, Collection, Comment, Entry, FileTree, Node, Scalar

WIDTH = 100
"""Columns a line may take; more, and what stands in brackets on it goes over several lines."""

_INDENT = 2


def write_tree(tree: FileTree, *, always_block: frozenset[int], spaced: frozenset[int]) -> str:
    """The text of a file.

    Of the collections, those whose `id` is in `always_block` are never in brackets, and the entries of those in `spaced`
    have an empty line between them.
    """
    return _Writer(always_block, spaced).file(tree)


class _Writer:
    def __init__(self, always_block: frozenset[int], spaced: frozenset[int]) -> None:
        self._always_block = always_block
        self._spaced = spaced
        self._lines: list[str] = []
        self._is_sealed = False  # an empty line here would belong to the value above

    def file(self, tree: FileTree) -> str:
        root = tree.root
        _open_brackets(root)
        for number, comment in enumerate(tree.header):
            self._comment(comment, 0, may_be_spaced=number > 0)
        if tree.header and root.entries:
            self._blank()
        if root.entries:
            self._block(root, 0)
        else:
            self._put("{}")
            self._footer(root, 0)
        return "\n".join(self._lines) + "\n"

    # --- lines ------------------------------------------------------------------------------------------------------------

    def _put(self, line: str) -> None:
        self._lines.append(line)
        self._is_sealed = False

    def _blank(self) -> None:
        if self._lines and self._lines[-1] and not self._is_sealed:
            self._lines.append("")

    def _comment(self, comment: Comment, indent: int, *, may_be_spaced: bool = True) -> None:
        if comment.blank and may_be_spaced:
            self._blank()
        self._put(" " * indent + comment.text)

    # --- blocks -----------------------------------------------------------------------------------------------------------

    def _block(self, node: Collection, indent: int) -> None:
        """A collection over several lines, each entry at `indent`. Recursive; the reader bounds how deep."""
        for number, entry in enumerate(node.entries):
            self._before(entry, indent, is_first=number == 0, spaced=id(node) in self._spaced)
            self._entry(entry, indent)
        self._footer(node, indent)

    def _footer(self, node: Collection, indent: int) -> None:
        for comment in node.footer:
            self._comment(comment, indent)

    def _before(self, entry: Entry, indent: int, *, is_first: bool, spaced: bool) -> None:
        if spaced and not is_first:
            self._blank()
        for number, comment in enumerate(entry.leading):
            self._comment(comment, indent, may_be_spaced=number > 0 or not is_first)
        if entry.blank and (entry.leading or not is_first):
            self._blank()

    def _entry(self, entry: Entry, indent: int) -> None:
        head = " " * indent + ("-" if entry.key is None else f"{_key(entry.key, in_flow=False)}:")
        value = entry.value
        if isinstance(value, Scalar) and takes_lines(value):
            self._lines_of(value, head, entry.trailing, indent)
        elif isinstance(value, Collection):
            self._collection(value, head, entry, indent)
        else:
            self._put(_with(f"{head} {self._single(value)}".rstrip(), entry.trailing))

    def _lines_of(self, scalar: Scalar, head: str, trailing: str | None, indent: int) -> None:
        anchor = _anchor(scalar)
        inner = " " * (indent + _INDENT)
        if scalar.style in ("|", ">"):
            self._put(_with(f"{head} {anchor}{block_head(scalar)}", trailing))
            for line in block_lines(scalar, inner):
                self._put(line)
            self._is_sealed = keeps_end(scalar)
            return
        first, *rest = flowing_lines(scalar, inner)
        lines = [f"{head} {anchor}{first}", *rest]
        lines[-1] = _with(lines[-1], trailing)
        for line in lines:
            self._put(line)

    def _collection(self, node: Collection, head: str, entry: Entry, indent: int) -> None:
        if not node.entries or (node.is_flow and id(node) not in self._always_block):
            # a comment behind an item has no place on a line that only holds the dash
            stays = not node.entries or _is_silenced(entry) or (entry.key is None and entry.trailing)
            text = self._flow(node, None if stays else WIDTH - len(head) - 1)
            if text is not None:
                self._put(_with(f"{head} {text}", entry.trailing))
                return
        inner = indent + _INDENT
        if entry.key is not None or node.anchor:
            self._put(_with(f"{head} {_anchor(node)}".rstrip(), entry.trailing))
            self._block(node, inner)
            return
        at = len(self._lines)
        self._block(node, inner)
        self._lines[at] = f"{head} {self._lines[at][inner:]}"  # the first entry stands behind the dash

    # --- one line ---------------------------------------------------------------------------------------------------------

    def _single(self, node: Scalar | Alias) -> str:
        return f"*{node.name}" if isinstance(node, Alias) else _anchor(node) + written(node, in_flow=False)

    def _flow(self, node: Node, most: int | None) -> str | None:
        """A value in brackets or a scalar within, `None` where it is longer than `most` or cannot be in one line."""
        if isinstance(node, Alias):
            return f"*{node.name}"
        if isinstance(node, Scalar):
            return None if takes_lines(node) else _anchor(node) + (written(node, in_flow=True) or "null")
        if node.entries and (not node.is_flow or id(node) in self._always_block):
            return None
        parts: list[str] = []
        length = len(_anchor(node)) + 2
        for entry in node.entries:
            value = self._flow(entry.value, None if most is None else most - length)
            if value is None:
                return None
            parts.append(value if entry.key is None else f"{_key(entry.key, in_flow=True)}: {value}")
            length += len(parts[-1]) + 2
            if most is not None and length - 2 > most:
                return None
        inside = ", ".join(parts)
        return _anchor(node) + (f"{{{inside}}}" if node.is_map else f"[{inside}]")


def _key(key: Scalar | Alias, *, in_flow: bool) -> str:
    if isinstance(key, Alias):
        return f"*{key.name} "  # the colon would be part of the name
    return _anchor(key) + written(key, in_flow=in_flow, is_key=True)


def _anchor(node: Scalar | Collection) -> str:
    return f"&{node.anchor} " if node.anchor else ""


def _with(line: str, comment: str | None) -> str:
    return f"{line}  {comment}" if comment else line


def _is_silenced(entry: Entry) -> bool:
    """Whether a comment silences findings on this line, which must then stay one line."""
    comments = [entry.trailing or "", *(comment.text for comment in entry.leading[-1:])]
    return any("flow:" in text and "ignore" in text for text in comments)


def _open_brackets(root: Collection) -> None:
    """Take the brackets from what cannot be in one line, and put comments of its start before the dash of an item."""
    nodes = [root]
    for node in nodes:  # grows while it is gone through: parents before children
        nodes.extend(entry.value for entry in node.entries if isinstance(entry.value, Collection))
    for node in reversed(nodes):
        if node.is_flow and (node.footer or any(_takes_lines(entry) for entry in node.entries)):
            node.is_flow = False
        for entry in node.entries:
            if entry.key is None and isinstance(entry.value, Collection) and not entry.value.is_flow:
                _hoist(entry, entry.value)


def _takes_lines(entry: Entry) -> bool:
    if entry.leading or entry.trailing:
        return True
    value = entry.value
    return takes_lines(value) if isinstance(value, Scalar) else isinstance(value, Collection) and not value.is_flow


def _hoist(item: Entry, node: Collection) -> None:
    if item.trailing is not None:
        item.leading.append(Comment(item.trailing))
        item.trailing = None
    if node.entries:
        item.leading += node.entries[0].leading
        node.entries[0].leading = []
