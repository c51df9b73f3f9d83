"""Text that PostgreSQL refuses: it holds no NUL, so a store writes one as two characters, and its escape as two others.

The order of the texts stays what it was: U+0000 becomes U+0001 U+0001, and U+0001 becomes U+0001 U+0002. JSON needs
none of it, since it never holds a control character as such.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from psycopg.adapt import Buffer, Dumper, Loader
from psycopg.postgres import types
from psycopg.types.numeric import Int8BinaryDumper

if TYPE_CHECKING:
    from psycopg.adapt import AdaptersMap

_PAIR = re.compile("\x01(.)", re.DOTALL)


def escaped(text: str) -> str:
    """`text` as a column holds it."""
    if "\0" in text or "\x01" in text:
        return text.replace("\x01", "\x01\x02").replace("\0", "\x01\x01")
    return text


def unescaped(text: str) -> str:
    """The text that `escaped` was given."""
    return _PAIR.sub(lambda pair: "\0" if pair[1] == "\x01" else "\x01", text) if "\x01" in text else text


def adapt(adapters: AdaptersMap) -> None:
    """Have a connection take and give texts so, and call every whole number one of 64 bits.

    Otherwise psycopg names the smallest type that fits, and a statement is prepared once for each mixture of them.
    """
    adapters.register_dumper(str, _TextDumper)
    adapters.register_dumper(int, Int8BinaryDumper)
    adapters.register_loader("text", _TextLoader)


class _TextDumper(Dumper):
    oid = types["text"].oid

    def dump(self, obj: str) -> bytes:
        return escaped(obj).encode()


class _TextLoader(Loader):
    def load(self, data: Buffer) -> str:
        return unescaped(bytes(data).decode())
