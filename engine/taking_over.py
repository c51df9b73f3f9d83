"""Taking over runs that no engine holds any more: claimed, made again from their logs, and gone on with where those end."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from engine import recovery
from engine.calling import Calls
from engine.commands import Cancel, Start, Tick
from engine.driven import NO_ITEM, Driven
from engine.effects import Effects
from engine.errors import StoreConflict
from engine.hand import NO_TIME, Hand
from engine.ownership import Membership
from engine.parts import EngineParts, Keeping
from engine.plan import LIVE_ACTIONS, Plan
from engine.recovery import Family, Restored, Unreadable
from engine.run import Run
from engine.states import RunState, TaskState
from engine.store.rows import RunRow


class TakingOver:
    """Takes free runs in hand, for an engine that holds what it has by a lease."""

    def __init__(
        self, parts: EngineParts, keeping: Keeping, *, hand: Hand, calls: Calls, effects: Effects, lease: Membership
    ) -> None:
        self._store = parts.store
        self._clock = parts.clock
        self._around = parts.around
        self._owner = parts.owner
        self._keeping = keeping
        self._hand = hand
        self._calls = calls
        self._effects = effects
        self._lease = lease

    def take(self, only: str | None = None) -> list[tuple[Run, Plan]]:
        """Take over all free runs, or the one of that id with those above and below it. Returns those that could be made
        again, each with its plan; the others have failed."""
        found: list[tuple[Run, Plan]] = []
        for families in self._free(only):
            found += [(each.driven.run, each.driven.plan) for each in self._take(families)]
        return found

    def take_what_can_be_served(self) -> bool:
        """Take over what this engine can drive, as much as there is room for: what it cannot is left to one with the right
        connectors and secrets. Whether there was anything."""
        room = self._room()
        has_taken = False
        if room is not None and room <= 0:
            return has_taken
        for families in self._free(None, only_served=True):
            has_taken |= bool(self._take(families[:room]))
            if room is not None and room <= len(families):
                break
        return has_taken

    def _room(self) -> int | None:
        """How many runs may be taken over besides those in hand; `None` for any number."""
        if self._keeping.most is None:
            return None
        return self._keeping.most - sum(
            driven.taken_at is not None and driven.run.parent_run not in self._hand.driven
            for driven in self._hand.driven.values()
        )

    def _free(self, only: str | None, *, only_served: bool = False) -> Iterable[list[Family]]:
        """Free families of runs, some at a time; with `only`, that of the run with this id."""
        store = self._store
        some: list[Family] = []
        for family in recovery.free_families(store, but=self._owner, only=only):
            if only_served and not recovery.can_serve(family, store, self._keeping.plans, self._around):
                continue
            some.append(family)
            if sum(len(each.rows) for each in some) >= recovery.BATCH:
                yield some
                some = []
        if some:
            yield some

    def _take(self, families: list[Family]) -> list[Restored]:
        """Claim families in one transaction, make them again, and have what was being done for them recovered."""
        restored: list[Restored] = []
        for row in self._claim(families):
            self._renew()  # to make many large runs again takes its time
            found = recovery.restore(self._store, row, self._keeping.plans)
            if isinstance(found, Unreadable):
                self._give_up(found)
            else:
                found.driven.ahead = max(NO_TIME, found.taken.at - self._clock.now())
                self._hand.driven[row.id] = found.driven
                restored.append(found)
        for each in restored:
            self._hand.untold.append((each.driven, each.driven.run.seq, each.taken))
            self._take_up(each.driven)
        self._effects.recover(restored)
        return restored

    def _renew(self) -> None:
        """Renew the lease between commits that would do so, if it is time."""
        at_s, lease = self._lease.elapsed(), self._lease.next(holds=True, now=self._clock.now())
        if lease is not None:
            self._store.commit([], lease=lease)
            self._lease.said(lease, at_s=at_s)

    def _claim(self, families: list[Family]) -> list[RunRow]:
        """The rows of all runs that could be claimed, as they are stored then. Who else was first keeps its families."""
        store, owner, now = self._store, self._owner, self._clock.now()
        while families:
            claims = [
                recovery.claim(row, owner=owner, reason=family.reason, now=recovery.not_before(store, row, now))
                for family in families
                for row in family.rows
            ]
            gone = {row.owner for family in families for row in family.rows if row.owner is not None}
            at_s, lease = self._lease.elapsed(), self._lease.next(holds=True, now=now)
            try:
                store.commit(claims, lease=lease, retired=sorted(gone))
            except StoreConflict as conflict:
                lost = set(conflict.run_ids)
                left = [family for family in families if lost.isdisjoint(row.id for row in family.rows)]
                if len(left) == len(families):
                    raise
                families = left
            else:
                self._lease.said(lease, at_s=at_s)
                return [claim.run for claim in claims]
        return []

    def _give_up(self, unreadable: Unreadable) -> None:
        """End a run that cannot be driven any more, and what may be left of its attempts. The others go on."""
        now = recovery.not_before(self._store, unreadable.row, self._clock.now())
        batch = recovery.give_up(unreadable.row, unreadable.failure, now=now)
        with suppress(StoreConflict):  # then another engine has it, and may be able to drive it
            self._store.commit([batch])
        self._effects.end_leftovers(unreadable.leftovers, token=unreadable.row.token)

    def _take_up(self, driven: Driven) -> None:
        """Go on where the log of a run ends: what was queued asks again, what runs holds its slots, called runs are found."""
        run = driven.run
        self._hand.note_alarm(driven)
        now = self._hand.now(driven)
        for name, item, unit in driven.units():
            action = driven.plan.tasks[name].action
            if unit.state is TaskState.QUEUED:
                self._hand.admission.offer(driven.candidate(name, item, now=now))
            elif unit.live and isinstance(action, LIVE_ACTIONS):
                self._hand.admission.hold(driven.candidate(name, item, now=now))
            if unit.live and unit.child is not None:
                self._calls.find(driven, name, None if item == NO_ITEM else item, unit.child)
        if run.parent_run is not None and not self._calls.is_called(run):
            self._hand.commands.append((run.id, Cancel(by="parent", note="what called it has ended")))
        self._hand.commands.append((run.id, Start() if run.state is RunState.QUEUED else Tick()))
