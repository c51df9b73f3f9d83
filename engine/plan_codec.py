"""A plan as bytes and back, for who wants to keep one: msgpack of its structs, read again with every type checked.

The texts a plan was compiled from are not in it; who reads it brings them along. A flow that is called twice is written
once, so what comes back has the shape of what was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from engine.plan import Plan
from specs.collection import without_collection
from specs.scalars import WrittenFloat, WrittenInt

_WRITTEN_INT, _WRITTEN_FLOAT = 1, 2
"""Numbers that keep the form they were written in; each is the value and the form."""


class NotEncodable(Exception):
    """A plan holds what cannot be written; nothing is wrong with it otherwise."""


class NotDecodable(Exception):
    """Bytes are no plan, or not one of this version."""


class _Written(Struct, frozen=True, array_like=True):
    """Plans without their children and texts, each after all it calls; the last is the one that was asked for.

    `children` has, for each plan, the numbers of those it calls; `files`, the names of its texts.
    """

    plans: tuple[Plan, ...]
    children: tuple[Mapping[str, int], ...]
    files: tuple[tuple[str, ...], ...]


def encode_plan(plan: Plan) -> bytes:
    """The plan as bytes; raises `NotEncodable`."""
    order = list(_callees_first(plan))
    number_of = {id(one): number for number, one in enumerate(order)}
    written = _Written(
        plans=tuple(replace(one, children={}, files={}) for one in order),
        children=tuple({text: number_of[id(child)] for text, child in one.children.items()} for one in order),
        files=tuple(tuple(one.files) for one in order),
    )
    try:
        return msgspec.msgpack.encode(written, enc_hook=_to_plain)
    except (TypeError, ValueError, OverflowError, RecursionError, NotImplementedError) as error:
        raise NotEncodable(str(error)) from error


def decode_plan(data: bytes, texts: Mapping[str, str]) -> Plan:
    """The plan that `encode_plan` made `data` of. `texts` are the files it was compiled from, by their names in it.

    Raises:
        NotDecodable: the bytes are something else, or a text is missing.
    """
    try:
        with without_collection():
            written = msgspec.msgpack.decode(data, type=_Written, dec_hook=_from_plain, ext_hook=_number)
            return _linked(written, texts)
    except (msgspec.DecodeError, LookupError, ValueError, RecursionError) as error:
        raise NotDecodable(str(error)) from error


def _linked(written: _Written, texts: Mapping[str, str]) -> Plan:
    plans: list[Plan] = []
    for plan, children, files in zip(written.plans, written.children, written.files, strict=True):
        called = {text: plans[number] for text, number in children.items()}
        plans.append(replace(plan, children=called, files={name: texts[name] for name in files}))
    return plans[-1]


def _callees_first(plan: Plan) -> list[Plan]:
    found: dict[int, Plan] = {}
    waiting: list[tuple[Plan, bool]] = [(plan, False)]
    while waiting:
        one, is_done = waiting.pop()
        if is_done:
            found[id(one)] = one
        elif id(one) not in found:
            waiting.append((one, True))
            waiting.extend((child, False) for child in one.children.values())
    return list(found.values())


def _to_plain(value: Any) -> Any:
    match value:
        case Path():
            return str(value)
        case WrittenInt():
            return msgspec.msgpack.Ext(_WRITTEN_INT, msgspec.msgpack.encode((int(value), value.written)))
        case WrittenFloat():
            return msgspec.msgpack.Ext(_WRITTEN_FLOAT, msgspec.msgpack.encode((float(value), value.written)))
    raise NotImplementedError(f"a plan cannot hold a {type(value).__name__}")


def _from_plain(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise NotImplementedError(kind)


def _number(code: int, data: memoryview) -> Any:
    match code:
        case 1:
            return WrittenInt(*msgspec.msgpack.decode(data, type=tuple[int, str]))
        case 2:
            return WrittenFloat(*msgspec.msgpack.decode(data, type=tuple[float, str]))
    raise ValueError(f"no number has the code {code}")
