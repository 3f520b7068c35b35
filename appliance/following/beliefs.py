"""Beliefs: ranges of blocks that are held to be empty on the word of few answers.

Nodes give some empty answers for blocks that do hold logs. Before one was caught at it, two such
answers in a row are believed; once one was, everything that was believed is asked again. So it is
remembered in the store what was, in one step with the blocks after it.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

from appliance.model import Checkpoint

MOST: Final = 1_024
"""Ranges that are remembered, the newest ones: asking again about more would take too long."""
What = Literal["all", "factories", "late"]


class Belief(NamedTuple):
    """Blocks `first` to `last` hold no logs of all contracts, or of factories, or of late ones."""

    first: int
    last: int
    what: What


class Beliefs:
    """What is believed of one chain; what is adjacent becomes one."""

    def __init__(self, chain_id: int) -> None:
        """Believe nothing."""
        self.kind = f"believed:{chain_id}"
        self._last: dict[tuple[What, int], int] = {}
        self._first: dict[tuple[What, int], int] = {}
        self._unsaid: dict[tuple[What, int], str] = {}

    def add(self, what: What, first: int, last: int) -> None:
        """Believe that these blocks are empty."""
        for key in ((what, self._first.get((what, first - 1), first)), (what, last + 1)):
            if key in self._last:  # it touches these blocks
                first, last = min(first, key[1]), max(last, self._last[key])
                self._forget(key)
        self._last[what, first], self._first[what, last] = last, first
        self._unsaid[what, first] = str(last)
        if len(self._last) > MOST:
            self._forget(next(iter(self._last)))

    def take(self) -> list[Belief]:
        """Return what is believed, ascending, and believe nothing."""
        found = sorted(Belief(first, last, what) for (what, first), last in self._last.items())
        for key in tuple(self._last):
            self._forget(key)
        return found

    def cut(self, number: int) -> None:
        """Believe nothing of the blocks from `number` on."""
        for first, last, what in self.take():
            if first < number:
                self.add(what, first, min(last, number - 1))

    def _forget(self, key: tuple[What, int]) -> None:
        self._first.pop((key[0], self._last.pop(key)), None)
        self._unsaid[key] = ""

    # How it is remembered

    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """Return what has changed since `said`; contracts that are late begin anew anyway."""
        return tuple(
            Checkpoint(self.kind, f"{what}:{first}", value)
            for (what, first), value in self._unsaid.items()
            if what != "late"
        )

    def said(self, rows: Iterable[Checkpoint]) -> None:
        """Note that these changes are stored; there may be others by now."""
        for row in rows:
            key = _key(row.key)
            if self._unsaid.get(key) == row.value:
                del self._unsaid[key]

    def load(self, stored: Mapping[str, str]) -> None:
        """Take back what was remembered: values by key."""
        for what, first in sorted(_key(key) for key, value in stored.items() if value):
            self.add(what, first, int(stored[f"{what}:{first}"]))
        self._unsaid.clear()


def _key(text: str) -> tuple[What, int]:
    what, _, first = text.partition(":")
    return "factories" if what == "factories" else "all", int(first)
