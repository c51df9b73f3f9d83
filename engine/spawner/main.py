"""A spawner: starts the tasks of an engine, sees them end, and tells. When the engine dies, it keeps doing that for the
next one, and leaves when nothing runs and nobody is connected.

    main.py JOURNAL ENGINE SOCKET           with the engine's end of a socket as descriptor 3

What it is told: `start`, `stop ATTEMPT GRACE`, `claim ATTEMPT TOKEN ...`, `settled ATTEMPT ...`, `close`. What it tells:
`ended ATTEMPT ...`, and about claims `adopted`, `unknown`, `refused` and, to who had the attempt before, `taken`.
"""

from __future__ import annotations

import os
import sys
from _signal import SIG_IGN, SIGCHLD, SIGHUP, SIGINT, SIGTERM, set_wakeup_fd  # type: ignore[import-not-found]
from _signal import signal as handle

from engine.spawner.frames import ENGINE, PROTOCOL
from engine.spawner.guests import Door, Guest
from engine.spawner.journal import Journal, quoted
from engine.spawner.orders import Order
from engine.spawner.slots import Slots
from engine.spawner.starting import EMFILE, Expendable, Refused, most_descriptors, start_time
from engine.spawner.subreaper import become_subreaper
from engine.spawner.tasks import Task
from engine.spawner.turns import Turns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engine.runners.trees import Family

_STREAM_DESCRIPTORS = 5
"""What the streams of one attempt hold at most: the log, two pipes, two kept files."""

_ENDED = os.WEXITED | os.WNOHANG | os.WNOWAIT


class Spawner:
    """All of it."""

    def __init__(self, journal: bytes, engine: bytes, name: bytes) -> None:
        self._turns = Turns()
        self._journal = Journal(journal, _head(engine, name))
        self._guests: list[Guest] = []
        self._tasks: dict[int, Task] = {}
        self._by_marker: dict[bytes, Task] = {}
        self._held: dict[int, None] = {}  # processes that have ended, and stay until nothing of their tree is left
        self._streamed: dict[bytes, None] = {}
        self._slots = Slots()
        self._expendable = Expendable()
        self._family: Family | None = None
        self._null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self._children = os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY | os.O_CLOEXEC)
        self._wake, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._door = Door(self._turns, name, self._welcome)
        handle(SIGCHLD, _be_woken)
        set_wakeup_fd(wake, warn_on_full_buffer=False)
        self._turns.watch(self._wake, self._see_ends)
        self._welcome(ENGINE)

    def run(self) -> None:
        """Serve until nothing runs and nobody is connected."""
        while self._guests or self._tasks:
            self._turns.turn()
            self._journal.flush()
            for guest in self._guests[:]:
                guest.flush()
                if guest.is_closing and not any(task.guest is guest for task in self._tasks.values()):
                    self._see_out(guest)
            if not self._tasks:
                os.chdir("/")
        self._reap_orphans()
        self._journal.compact()

    def note_crash(self, error: BaseException) -> None:
        """Leave a trace of an error of our own, without values; engines see that we are gone."""
        places = []
        frame = error.__traceback__
        while frame is not None:
            places.append(f"{os.path.basename(frame.tb_frame.f_code.co_filename)}:{frame.tb_lineno}")  # noqa: PTH119
            frame = frame.tb_next
        self._journal.note(f"{type(error).__name__} at {' '.join(places)}".encode())

    # --- engines ----------------------------------------------------------------------------------------------------

    def _welcome(self, descriptor: int) -> None:
        self._guests.append(Guest(self._turns, descriptor, received=self._hear, gone=self._lose))

    def _hear(self, guest: Guest, fields: list[bytes], tail: bytes) -> None:
        match fields[0]:
            case b"start":
                self._start(guest, fields, tail)
            case b"settled":
                for marker in fields[1:]:
                    self._journal.settled(marker)
                    guest.reported.pop(marker, None)
            case b"stop":
                self._stop(guest, fields[1], float(fields[2]))
            case b"claim":
                for marker, token in zip(fields[1::2], fields[2::2], strict=True):
                    self._claim(guest, marker, int(token))
            case b"close":
                guest.is_closing = True
                for task in list(self._tasks.values()):
                    if task.guest is guest:
                        self._end_tree(task, 0.0)

    def _lose(self, guest: Guest) -> None:
        """An engine is gone. What it has been told and not settled, the next one will ask for."""
        self._guests.remove(guest)
        for task in self._tasks.values():
            if task.guest is guest:
                task.guest = None
        self._journal.flush()
        self._journal.compact()

    def _see_out(self, guest: Guest) -> None:
        self._reap_orphans()
        for marker in guest.reported:
            self._journal.settled(marker)
        self._guests.remove(guest)
        self._journal.compact()
        guest.close()

    def _claim(self, guest: Guest, marker: bytes, token: int) -> None:
        task = self._by_marker.get(marker)
        if task is None:
            guest.tell(b"unknown", marker)
        elif token < task.token:
            guest.tell(b"refused", marker)
        else:
            if task.guest is not None and task.guest is not guest:
                task.guest.tell(b"taken", marker)
            task.guest, task.token = guest, token
            guest.tell(b"adopted", marker)

    # --- beginnings -------------------------------------------------------------------------------------------------

    def _start(self, guest: Guest, fields: list[bytes], script: bytes) -> None:
        self._journal.begin()
        task = Task(Order(fields), guest, self._slots)
        try:
            if task.needs_streams and (len(self._streamed) + 1) * _STREAM_DESCRIPTORS > most_descriptors():
                raise Refused(b"log", EMFILE)
            with self._expendable:
                task.start(script, self._null, self._turns)
        except Refused as refused:
            self._tell_end(task, b"refused", refused.number, refused.what)
            return
        if task.needs_streams:
            self._streamed[task.marker] = None
        self._tasks[task.pid] = self._by_marker[task.marker] = task
        if self._family is not None:
            self._family.started(task.pid)
        self._journal.started(task.marker, task.pid, task.at, task.slot)
        self._journal.flush()  # not with the others of this turn: starting those may take long

    # --- ends -------------------------------------------------------------------------------------------------------

    def _reap_orphans(self) -> None:
        """Those of them that have ended; with no task left, nobody else can have."""
        while not self._tasks and (pid := _ended(os.P_ALL, 0)):
            os.waitpid(pid, os.WNOHANG)

    def _see_ends(self) -> None:
        try:
            while len(os.read(self._wake, 4096)) == 4096:
                pass
        except BlockingIOError:
            return
        while not self._held:
            ended = _ended(os.P_ALL, 0)
            if not ended:
                return
            self._see_end(ended)
        for pid in map(int, _read(self._children).split()):  # past those that have ended and are kept
            if pid not in self._held and _ended(os.P_PID, pid):
                self._see_end(pid)

    def _see_end(self, pid: int) -> None:
        task = self._tasks.get(pid)
        if task is None:  # an orphan; nobody else waits in this process
            os.waitpid(pid, os.WNOHANG)
        elif task.stop is not None:
            self._held[pid] = None
            task.stop.look_now()
        elif self._are_orphans_there() and (left := self._grown_family().left_of(task.tree())):
            self._held[pid] = None
            task.note_left(left)
            self._end_tree(task, task.grace_s)
        else:
            self._finish(task)

    def _are_orphans_there(self) -> bool:
        """Whether we have children that we did not start: something that a task has left behind."""
        return _read(self._children).count(b" ") != len(self._tasks)

    def _stop(self, guest: Guest, marker: bytes, grace_s: float) -> None:
        task = self._by_marker.get(marker)
        if task is None:
            return  # it has ended, which is told already
        if task.guest is not guest:
            guest.tell(b"refused", marker)
            return
        task.is_stopped = task.is_stopped or not _ended(os.P_PID, task.pid)
        self._end_tree(task, grace_s)

    def _end_tree(self, task: Task, grace_s: float) -> None:
        if task.stop is not None:
            task.stop.hurry(grace_s)
            return
        from engine.runners.stopping import TreeStop

        def done(notes: tuple[str, ...]) -> None:
            for note in notes:
                task.note(note)
            self._finish(task)

        task.stop = TreeStop(self._turns.call_later, self._grown_family(), task.tree(), done)
        task.stop.begin(grace_s)

    def _finish(self, task: Task) -> None:
        """Nothing of it runs any more."""
        how, value = b"unknown", 0
        pid, status = os.waitpid(task.pid, os.WNOHANG)
        if pid:  # else it could not be killed, and is reaped should it ever end
            code = os.waitstatus_to_exitcode(status)
            how, value = (b"exit", code) if code >= 0 else (b"signal", -code)
        del self._tasks[task.pid], self._by_marker[task.marker]
        self._held.pop(task.pid, None)
        if self._family is not None:
            self._family.reaped(task.pid)
        self._tell_end(task, how, value, b"")

    def _tell_end(self, task: Task, how: bytes, value: int, what: bytes) -> None:
        self._streamed.pop(task.marker, None)
        if self._journal.problem:
            task.note(f"the journal of attempts cannot be written: {self._journal.problem}")
        facts, fields = task.finish(how, value, what)
        self._journal.ended(task.marker, facts)
        if task.guest is not None:
            task.guest.reported[task.marker] = None
            task.guest.tell(b"ended", task.marker, *fields)

    def _grown_family(self) -> Family:
        """What knows trees of processes; seldom needed."""
        if self._family is None:
            from engine.runners.trees import Family

            self._family = Family(self._turns.call_later)
            for pid in self._tasks:
                self._family.started(pid)
        return self._family


def _ended(kind: int, pid: int) -> int:
    """The pid of a child that has ended and waits to be reaped, 0 when there is none."""
    try:
        ended = os.waitid(kind, pid, _ENDED)
    except ChildProcessError:
        return 0
    return 0 if ended is None else ended.si_pid


def _read(descriptor: int) -> bytes:
    data = b""
    while chunk := os.pread(descriptor, 65536, len(data)):
        data += chunk
    return data


def _head(engine: bytes, name: bytes) -> bytes:
    descriptor = os.open("/proc/sys/kernel/random/boot_id", os.O_RDONLY | os.O_CLOEXEC)
    boot = os.read(descriptor, 64).strip()
    os.close(descriptor)
    pid = os.getpid()
    facts = (pid, start_time(pid), boot, quoted(engine), quoted(name), PROTOCOL)
    return b'{"spawner": %d, "at": %d, "boot": "%s", "engine": %s, "socket": %s, "protocol": %d}\n' % facts


def _be_woken(_number: int, _frame: object) -> None:
    """The number itself goes to the pipe that is watched."""


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:
        return  # that of the listing itself


def main() -> None:
    """Be a spawner."""
    journal, engine, name = (os.fsencode(argument) for argument in sys.argv[-3:])
    for one in (SIGHUP, SIGINT, SIGTERM):
        handle(one, SIG_IGN)  # an engine that drains needs us to the end
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208
        if int(number) > ENGINE:
            _close(int(number))
    os.set_inheritable(ENGINE, False)
    become_subreaper()
    spawner = Spawner(journal, engine, name)
    try:
        spawner.run()
    except BaseException as error:
        spawner.note_crash(error)
        raise
    os._exit(0)  # taking the interpreter down in order takes milliseconds, and an engine may wait for our end
