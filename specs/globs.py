"""Patterns of paths: `*` and `?` within one name, `**` for any number of folders. Nothing else is special."""

from __future__ import annotations

from functools import lru_cache


def matches(pattern: str, path: str) -> bool:
    """Whether `path`, written with `/`, is one that `pattern` stands for; letters of another case are other letters."""
    return _wild(_names(pattern), tuple(path.split("/")), "**")


@lru_cache(maxsize=256)
def _names(pattern: str) -> tuple[str, ...]:
    return tuple(pattern.split("/"))


def _wild(pattern: tuple[str, ...], names: tuple[str, ...], star: str) -> bool:
    """Match greedily and, at a mismatch, give the last star one name more: never more than pattern times names steps."""
    at = name = 0
    last_star, resume = -1, 0
    while name < len(names):
        if at < len(pattern) and pattern[at] == star:
            last_star, resume = at, name
            at += 1
        elif at < len(pattern) and _fits(pattern[at], names[name], star):
            at, name = at + 1, name + 1
        elif last_star >= 0:
            resume += 1
            at, name = last_star + 1, resume
        else:
            return False
    return all(part == star for part in pattern[at:])


def _fits(part: str, name: str, star: str) -> bool:
    if star == "*":
        return part in ("?", name)
    if "*" not in part and "?" not in part:
        return part == name
    return _wild(tuple(part), tuple(name), "*")
