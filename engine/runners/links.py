"""A connection to a spawner: what the engine tells it of attempts, and what it hears of their ends."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from engine.runners.attempt import Kit
from engine.runners.journals import Head, Journal, Start, TaskEnd, read_journal
from engine.runners.trees import Tree, read_process, send_signal
from engine.spawner.frames import Frames, pack

CLOSE_S = 5.0
"""How long a spawner may take to end what is ours, when we close."""

_CHUNK = 1 << 18
_RETRY_S = 0.002
_ANSWER_S = 30.0


class Waiting(Protocol):
    """An attempt, seen from its spawner."""

    marker: str

    @property
    def token(self) -> int: ...
    def asked(self, link: Link) -> None: ...
    def ended(self, end: TaskEnd, *, then: Callable[[], None]) -> None: ...
    def adopted(self) -> None: ...
    def taken(self) -> None: ...
    def orphaned(self, journal: Journal, *, is_ours: bool) -> None: ...


class Link:
    """A connection to one spawner, and the attempts that it answers for."""

    def __init__(self, kit: Kit, end: socket.socket, journal: str, *, pid: int = 0, head: Head | None = None) -> None:
        """`pid` is set for a spawner that is a child of ours, `head` for another."""
        self.journal = journal
        self.pid = pid
        self.is_open = True
        self.was_used = False
        self._reactor = kit.reactor
        self._family = kit.family
        self._socket = end
        self._head = head
        self._attempts: dict[str, Waiting] = {}
        self._claimed: dict[str, Callable[[str], None]] = {}
        self._frames = Frames()
        self._outgoing = b""
        self._retries = False
        self._reported: deque[str] = deque()
        self._settling: list[str] = []
        self._cancel_patience: Callable[[], None] | None = None
        end.setblocking(False)
        kit.reactor.watch(end.fileno(), self._read)

    def start(self, attempt: Waiting, head: bytes, script: bytes) -> None:
        """Have an attempt started, whose message this is."""
        self.was_used = True
        self._attempts[attempt.marker] = attempt
        self._send(pack(head, script))

    def stop(self, attempt: Waiting, grace_s: float) -> None:
        """Have an attempt's tree ended."""
        self._send(pack(f"stop\0{attempt.marker}\0{grace_s}".encode()))

    def claim(self, attempts: Sequence[Waiting], *, unknown: Callable[[str], None]) -> None:
        """Ask for attempts that another engine had started. Each is told what became of that; those that do not run here
        are told to `unknown`."""
        self.was_used = True
        for attempt in attempts:
            attempt.asked(self)
            self._attempts[attempt.marker] = attempt
            self._claimed[attempt.marker] = unknown
        fields = itertools.chain.from_iterable((one.marker, str(one.token)) for one in attempts)
        self._send(pack("\0".join(["claim", *fields]).encode()))
        if self._cancel_patience is None:
            self._cancel_patience = self._reactor.call_later(_ANSWER_S, self._lose_patience)

    def settle(self, marker: str) -> None:
        """The end of an attempt has been posted; once that is durable, the spawner is told. From any thread."""
        self._reported.append(marker)

    def close(self, *, keep: bool) -> None:
        """Leave the spawner: with `keep` to its tasks and the next engine, else once it has ended all that is ours."""
        if not self.is_open:
            return
        self.is_open = False
        self._reactor.unwatch(self._socket.fileno())
        if self._cancel_patience is not None:
            self._cancel_patience()
        if not keep and self.was_used:
            self._bid_farewell()
        self._socket.close()

    def is_gone(self, *, at_once: bool) -> bool:
        """Whether the spawner has ended; with `at_once` it is killed if not. For one that is a child of ours it is reaped."""
        if not self.pid:
            process = None if self._head is None else read_process(self._head.spawner)
            if process is None or self._head is None or process.started != self._head.at or not process.is_alive:
                return True
            if at_once:
                send_signal(process, signal.SIGKILL)
            return False
        if at_once:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            pid, _ = os.waitpid(self.pid, 0 if at_once else os.WNOHANG)
            if pid == 0:
                return False
        self._family.reaped(self.pid)
        return True

    def trees(self) -> list[Tree]:
        """The processes of all attempts of a spawner that has died, as its journal has them."""
        starts = read_journal(self.journal).starts
        return [tree_of(marker, starts.get(marker), is_foreign=not self.pid) for marker in self._attempts]

    # --- messages ---------------------------------------------------------------------------------------------------

    def _send(self, data: bytes) -> None:
        if not self.is_open:
            return
        if not self._outgoing:
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                return  # it has died, which is seen when it is read
            if sent == len(data):
                return
            data = data[sent:]
        self._outgoing += data
        self._retry_later()

    def _retry_later(self) -> None:
        if not self._retries:
            self._retries = True
            self._reactor.call_later(_RETRY_S, self._flush)

    def _flush(self) -> None:
        self._retries = False
        try:
            while self._outgoing and self.is_open:
                self._outgoing = self._outgoing[self._socket.send(self._outgoing[:_CHUNK]) :]
        except BlockingIOError:
            self._retry_later()
        except OSError:
            self._outgoing = b""

    def _read(self) -> None:
        try:
            data = self._socket.recv(_CHUNK)
            messages = self._frames.feed(data)
        except BlockingIOError:
            return
        except (OSError, ValueError):
            data, messages = b"", []
        self._settle()
        for fields, _ in messages:
            self._hear(fields)
        if not data:
            self._lose()

    def _settle(self) -> None:
        """What was posted before the last call of this has been committed since: tell the spawner."""
        if self._settling:
            self._send(pack("\0".join(["settled", *self._settling]).encode()))
        self._settling = [self._reported.popleft() for _ in range(len(self._reported))]

    def _hear(self, fields: list[bytes]) -> None:
        kind, marker = fields[0], fields[1].decode()
        unknown = self._claimed.pop(marker, None)
        if kind == b"adopted" and marker in self._attempts:
            self._attempts[marker].adopted()
            return
        attempt = self._attempts.pop(marker, None)
        if attempt is None:
            return
        if kind == b"ended":
            attempt.ended(_end_of(fields), then=lambda: self.settle(marker))
        elif kind == b"unknown" and unknown is not None:
            unknown(marker)
        else:  # `taken`, `refused`
            attempt.taken()

    def _lose_patience(self) -> None:
        self._cancel_patience = None
        if self._claimed and self.is_open:
            self._lose()

    def _lose(self) -> None:
        """The spawner is no more: what it has left running is ended, for nobody would see how it ends."""
        if not self.is_open:
            return
        self.close(keep=True)
        self.is_gone(at_once=True)
        journal = read_journal(self.journal)
        attempts, self._attempts = self._attempts, {}
        for marker, attempt in attempts.items():
            unknown = self._claimed.pop(marker, None)
            if unknown is not None:
                unknown(marker)
            else:
                attempt.orphaned(journal, is_ours=self.pid > 0)

    def _bid_farewell(self) -> None:
        until = time.monotonic() + CLOSE_S
        with contextlib.suppress(OSError):
            self._socket.settimeout(CLOSE_S)
            settled = pack("\0".join(["settled", *self._settling, *self._reported]).encode())
            self._socket.sendall(self._outgoing + settled + pack(b"close"))
            while time.monotonic() < until and self._socket.recv(_CHUNK):
                pass


def tree_of(marker: str, start: Start | None, *, is_foreign: bool) -> Tree:
    """What there may be of an attempt whose first process, if it is still there, is `start`."""
    process = read_process(start.pid) if start is not None else None
    is_there = process is not None and start is not None and process.started == start.at
    leader = start.pid if start is not None and is_there else -1
    return Tree(leader, frozenset({marker.encode()}), is_foreign=is_foreign)


def _end_of(fields: list[bytes]) -> TaskEnd:
    _, _, how, value, what, seen, log_bytes, tmp, count, *rest = fields
    texts = [text.decode("utf-8", "replace") for text in rest]
    left, notes = tuple(texts[: int(count)]), tuple(texts[int(count) :])
    return TaskEnd(how.decode(), int(value), what.decode(), seen.decode(), int(log_bytes), int(tmp), left, notes)
