"""Holding runs where other engines use the same store: the lease, the inbox, and letting go of what others have taken over."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from engine import inbox, recovery
from engine.calling import Calls
from engine.commands import Command
from engine.driven import Driven
from engine.effects import Effects
from engine.hand import Hand
from engine.ownership import Membership
from engine.parts import EngineParts, Keeping
from engine.plan import Plan
from engine.run import Run
from engine.store.rows import Answer, Lease
from engine.taking_over import TakingOver


class Saying(Struct, frozen=True):
    """What a commit is to say besides what was decided.

    Attributes:
        lease: how long the engine holds what it has; `None` if there is nothing new to be said.
        at_s: when the commit was begun, as the lease counts.
    """

    lease: Lease | None = None
    answers: tuple[Answer, ...] = ()
    at_s: float = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be said."""
        return self.lease is None and not self.answers


NOTHING = Saying()


class Keeper:
    """Looks after the runs in hand between turns; `decide` is called for what is asked of them."""

    def __init__(
        self,
        parts: EngineParts,
        keeping: Keeping,
        *,
        hand: Hand,
        calls: Calls,
        effects: Effects,
        decide: Callable[[str, Command], None],
    ) -> None:
        self._store = parts.store
        self._clock = parts.clock
        self._owner = parts.owner
        self._keeping = keeping
        self._hand = hand
        self._effects = effects
        self._decide = decide
        self._lease = Membership(parts.owner, terms=keeping.terms, elapsed=keeping.elapsed)
        self._taking_over = TakingOver(parts, keeping, hand=hand, calls=calls, effects=effects, lease=self._lease)
        self._answers: dict[str, tuple[str, Answer]] = {}
        self._look_s = self._next_look_s()
        self.has_mail = False
        """There may be a message in the inbox; anybody may say so, from any thread."""

    # --- between turns --------------------------------------------------------------------------------------------------

    @property
    def patience_s(self) -> float | None:
        """How long it may take until `look_after` is called next, in seconds; `None` for ever."""
        if self.has_mail:
            return 0.0
        if self._hand.driven or self._keeping.takes_over:
            return self._look_s - self._keeping.elapsed()
        return None

    def look_after(self) -> None:
        """Look after what is held: at each beat, and when somebody says that there is a message."""
        self.find_lost()
        is_due = self._keeping.elapsed() >= self._look_s
        if is_due or self.has_mail:
            self.has_mail = False
            self._read_inbox()
        if is_due:
            self._look_s = self._next_look_s()
            if self._keeping.takes_over and self._taking_over.take_what_can_be_served():
                self.has_mail = True  # what was asked of the engine before

    def take_over(self, only: str | None) -> list[tuple[Run, Plan]]:
        """Take over all free runs, or the one of that id with those above and below it."""
        taken = self._taking_over.take(only)
        if taken:
            self.has_mail = True  # what was asked of the engine before
        return taken

    def _next_look_s(self) -> float:
        return self._keeping.elapsed() + self._keeping.terms.beat.total_seconds()

    def _read_inbox(self) -> None:
        if not self._hand.driven:
            return
        for message in self._store.asked(self._owner):
            driven = self._hand.driven.get(message.run_id)
            if driven is None or message.id in self._answers:
                continue
            command, answer = inbox.read(message, driven.run, now=self._hand.now(driven))
            self._answers[message.id] = (message.run_id, answer)
            if command is not None:
                self._decide(message.run_id, command)

    # --- with each commit -----------------------------------------------------------------------------------------------

    def saying(self, changed: Sequence[Driven]) -> Saying:
        """What a commit of these runs is to say besides."""
        held = len(self._hand.driven) - sum(driven.run.state.is_final for driven in changed)
        at_s = self._lease.elapsed()
        lease = self._lease.next(holds=held > 0, now=self._clock.now())
        return Saying(lease, tuple(answer for _, answer in self._answers.values()), at_s)

    def said(self, saying: Saying) -> None:
        """A commit has said it."""
        self._answers.clear()
        self._lease.said(saying.lease, at_s=saying.at_s)

    # --- letting go -----------------------------------------------------------------------------------------------------

    def find_lost(self) -> None:
        """If the lease may have run out meanwhile, let go of what others have taken, and keep the rest."""
        if not self._lease.is_overdue:
            return
        held: set[str] = set()
        last = ""
        while rows := self._store.held(self._owner, after=last, limit=recovery.BATCH):
            last = rows[-1].id
            held.update(row.id for row in rows)
        self.lose([run_id for run_id, driven in self._hand.driven.items() if not driven.is_new and run_id not in held])

    def lose(self, run_ids: Sequence[str]) -> bool:
        """Let go of runs that others have taken over, and of those that hang together with them. Whether there were any.

        An engine on this machine has taken over their attempts with them, or is about to; where another machine has them,
        what is being made here is ended at once.
        """
        hand = self._hand
        roots = {hand.root(run_id) for run_id in run_ids if run_id in hand.driven}
        lost = [driven for run_id, driven in hand.driven.items() if hand.root(run_id) in roots]
        for driven in lost:
            taker = recovery.taker_of(self._store, driven.run.id)
            driven.lost_to = taker.owner or ""
            hand.drop(driven)
            self._answers = {name: entry for name, entry in self._answers.items() if entry[0] != driven.run.id}
            if not taker.is_here:
                self._effects.end_all(driven)
        return bool(lost)
