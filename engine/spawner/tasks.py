"""A task of a spawner: one attempt, from the start of its process to what is told of its end."""

from __future__ import annotations

import os

from engine.spawner.journal import quoted
from engine.spawner.slots import Slots, path_of
from engine.spawner.starting import Refused, enter, open_log, spawn, write_script

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.runners.stopping import TreeStop
    from engine.runners.streams import Streams
    from engine.runners.trees import Process, Tree
    from engine.spawner.guests import Guest
    from engine.spawner.orders import Order
    from engine.spawner.turns import Turns

_SHOWN_LEFTOVERS = 5


class Task:
    """An attempt whose process has not been reaped. `guest` is the engine that is told, `None` while there is none."""

    __slots__ = (
        "_left", "_notes", "_number", "_order", "_slots", "_streams", "at", "guest", "is_stopped", "marker", "pid",
        "stop", "token",
    )  # fmt: skip

    def __init__(self, order: Order, guest: Guest, slots: Slots) -> None:
        self.marker = order.marker
        self.token = order.token
        self.guest: Guest | None = guest
        self.stop: TreeStop | None = None
        self.is_stopped = False
        self.pid = 0
        self.at = 0
        self._order = order
        self._slots = slots
        self._number = 0
        self._streams: Streams | None = None
        self._left: list[bytes] = []
        self._notes: list[bytes] = []

    @property
    def needs_streams(self) -> bool:
        """Whether its output takes another way than straight into the log."""
        return bool(self._order.kept or self._order.needles)

    @property
    def grace_s(self) -> float:
        """How long what it left running has between SIGTERM and SIGKILL."""
        return self._order.grace_s

    @property
    def slot(self) -> int:
        """The number of its temporary folder."""
        return self._number

    def start(self, script: bytes, null: int, turns: Turns) -> None:
        """Start its process. Raises `Refused`, with nothing left open."""
        order = self._order
        enter(order.workdir)
        try:
            self._number = self._slots.take(order.slots)
        except OSError as error:
            raise Refused(b"tmp", error.errno or 0) from None
        if order.script_path:
            write_script(order.script_path, script)
        order.env[b"FLOW_TMP"] = path_of(order.slots, self._number)
        if self.needs_streams:
            self._start_with_streams(null, turns)
            return
        log = open_log(order.log)
        try:
            self.pid, self.at = spawn(order.argv, order.env, order.fallback, (null, log, log))
        finally:
            os.close(log)

    def note_left(self, left: list[Process]) -> None:
        """It has ended and left processes running."""
        from engine.runners.trees import program_name

        names = sorted({program_name(process.pid) for process in left})[:_SHOWN_LEFTOVERS]
        self._left = [str(len(left)).encode(), *(self._masked(name.encode()) for name in names)]

    def note(self, text: str) -> None:
        """A line for a person, about its end."""
        self._notes.append(self._masked(text.encode()))

    def tree(self) -> Tree:
        """All that belongs to it."""
        from engine.runners.trees import Tree

        return Tree(self.pid, frozenset({self.marker}))

    def finish(self, how: bytes, value: int, what: bytes) -> tuple[bytes, list[bytes]]:
        """It has ended, or could not be started. Closes everything and returns what is to be told, twice: as members of an
        object of JSON, and as fields of a message."""
        log_bytes = -1
        if self._streams is not None:
            log_bytes = self._streams.finish()
            for note in self._streams.notes:
                self.note(note)
        left = 0 if not self._number or self._slots.give_back(self._order.slots, self._number) else self._number
        facts = (how, b"%d" % value, what, self._seen(), b"%d" % log_bytes, b"%d" % left)
        text = b'"how": "%s", "value": %s, "what": "%s", "seen": "%s", "log_bytes": %s, "tmp": %s' % facts
        if self._left:
            text += b', "left": [%s]' % b", ".join(map(quoted, self._left))
        if self._notes:
            text += b', "notes": [%s]' % b", ".join(map(quoted, self._notes))
        return text, [*facts, b"%d" % len(self._left), *self._left, *self._notes]

    def _start_with_streams(self, null: int, turns: Turns) -> None:
        from engine.runners.streams import Streams

        order = self._order
        kept = {name: os.fsdecode(path) for name, path in order.kept.items()}
        try:
            streams = Streams(
                turns, log=os.fsdecode(order.log), kept=kept, limit_bytes=order.limit_bytes, needles=order.needles
            )
        except OSError as error:
            raise Refused(b"log", error.errno or 0) from None
        try:
            self.pid, self.at = spawn(order.argv, order.env, order.fallback, (null, streams.stdout, streams.stderr))
        except Refused:
            streams.close()
            raise
        streams.hand_over()
        self._streams = streams

    def _seen(self) -> bytes:
        """What was found at the end, a letter each: it was told to stop; there is an output; there is one as JSON."""
        output, output_json = self._order.outputs
        seen = b"s" if self.is_stopped else b""
        if os.access(output, os.F_OK):
            seen += b"o"
        if os.access(output_json, os.F_OK):
            seen += b"j"
        return seen

    def _masked(self, text: bytes) -> bytes:
        if not self._order.needles:
            return text
        from engine.runners.masked_stream import MaskedStream

        stream = MaskedStream(self._order.needles)
        return stream.feed(text) + stream.flush()
