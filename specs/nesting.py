"""How flows call each other, as far as one check reaches: how deep, and in which circles."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from specs.cycles import knots


class Nesting(Struct):
    """What is known of the flows of one check, by their names; settled once all are read.

    Attributes:
        calls: the flows that each calls.
        depths: how many flows its longest chain of calls passes, itself included; none for one that leads into a circle.
        circles: for a flow that reaches itself, the number of the knot that it is in.
    """

    calls: Mapping[str, Sequence[str]] = field(default_factory=dict)
    depths: dict[str, int] = field(default_factory=dict)
    circles: dict[str, int] = field(default_factory=dict)

    def settle(self, calls: Mapping[str, Sequence[str]]) -> None:
        """Take in what each flow calls. All that a flow calls comes before it, except where it closes a circle."""
        self.calls = calls
        for name, called in calls.items():
            if all(other in self.depths for other in called):
                self.depths[name] = 1 + max((self.depths[other] for other in called), default=0)
        if len(self.depths) < len(calls):
            self._find_circles(list(calls))

    def _find_circles(self, names: Sequence[str]) -> None:
        numbers = {name: number for number, name in enumerate(names)}
        found = knots([[numbers[other] for other in self.calls[name] if other != name] for name in names])
        for circle, knot in enumerate(found):
            self.circles.update((names[number], circle) for number in knot)
        for number, name in enumerate(names):
            if name in self.calls[name]:
                self.circles.setdefault(name, len(found) + number)

    def leads_into_a_circle(self, name: str) -> bool:
        """Whether a chain of calls from this flow has no end."""
        return name not in self.depths

    def chain(self, name: str, most: int) -> list[str]:
        """The first flows, `most` at most, on the longest chain of calls from one that leads into no circle."""
        found = [name]
        while len(found) < most and self.calls[found[-1]]:
            found.append(max(self.calls[found[-1]], key=self.depths.__getitem__))
        return found

    def circle(self, name: str, called: str) -> list[str]:
        """A shortest circle from a flow back to it that begins with this call; empty when the call leads to none."""
        if name not in self.circles or self.circles[name] != self.circles.get(called):
            return []
        came = {called: name}
        waiting = deque([called])
        while name not in came:
            here = waiting.popleft()
            for other in self.calls[here]:
                if self.circles.get(other) == self.circles[name] and other not in came:
                    came[other] = here
                    waiting.append(other)
        way = [came[name]]
        while way[-1] != name:
            way.append(came[way[-1]])
        return way[::-1]
