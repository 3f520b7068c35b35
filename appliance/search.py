"""Find markets among very many: exact names first, then beginnings, then parts; the busiest first.

The index of names answers with ids. As long as it answers all there are, they are put in order
and looked at one by one. Where it stops at CANDIDATES, the text is so common that the busiest
markets are looked at first, as they come: a few thousand of them hold enough.

One thread uses it, which is not the event loop's.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from appliance.model import Market
from appliance.statistics.board import Standings
from appliance.store.catalogue import Catalogue
from appliance.store.names import Ids, Names, names_of

CANDIDATES: Final = 20_000
"""Most markets that are put in order for one question; of commoner texts the busiest are found."""
SHORT: Final = 3
"""Shorter texts are in no index of parts …"""
SHORT_CANDIDATES: Final = 5_000
"""… and are looked for in so many of the busiest and of the oldest markets."""
SLICE: Final = 200
"""Markets that are indexed at a time: 4 ms, in which no question is answered."""
_BREATH: Final = 250
"""Markets that are looked at before other threads get their turn."""
_Test = Callable[[Market], bool]


@dataclass(frozen=True, slots=True)
class Question:
    """What is looked for: `text` as the index spells it; '' for all, by volume."""

    text: str
    exchange: str = ""
    limit: int = 30


class Search:
    """The index of a catalogue, and the answers from it."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Index nothing yet."""
        self._catalogue = catalogue
        self._names = Names()
        self._position = 0

    @property
    def names(self) -> Names:
        """Return the index."""
        return self._names

    def catch_up(self) -> bool:
        """Index a slice of what came or changed; return whether there may be more."""
        new, replaced, position = self._catalogue.changes(self._position, SLICE)
        self._names.add(new)
        self._names.replace(replaced)
        self._position = position
        return len(new) + len(replaced) == SLICE

    def find(self, question: Question, standings: Standings) -> list[Market]:
        """Return the shown markets that match, the best first."""
        found = _Found(self._catalogue, question)
        text, ids = question.text, self._names
        if not text:
            found.take(standings.busiest)
            found.take(self._catalogue.ids())
            return found.markets
        steps: tuple[tuple[Callable[[], Ids], _Test], ...] = (
            (lambda: ids.exact(text, CANDIDATES), lambda m: text in names_of(m).values()),
            (lambda: ids.beginning(text, CANDIDATES), lambda m: _begins(m, text)),
            (lambda: self._holding(text, standings), lambda m: _holds(m, text)),
        )
        for candidates, test in steps:
            if not found.enough:
                found.take(self._in_order(candidates(), question, standings), test)
        return found.markets

    def _in_order(self, ids: Ids, question: Question, standings: Standings) -> Ids:
        if len(ids) >= CANDIDATES and question.exchange:
            own = self._names.of_exchange(question.exchange.upper(), CANDIDATES)
            ids = own if len(own) < CANDIDATES else ids
        order = _busiest_first(np.unique(ids), standings)
        if len(ids) < CANDIDATES:
            return order
        return np.concatenate([standings.busiest[:CANDIDATES], order])

    def _holding(self, text: str, standings: Standings) -> Ids:
        if len(text) >= SHORT:
            return self._names.holding(text, CANDIDATES)
        oldest = self._catalogue.ids()[:SHORT_CANDIDATES]
        return np.concatenate([standings.busiest[:SHORT_CANDIDATES], oldest])


class _Found:
    """The markets that were found so far, each once."""

    def __init__(self, catalogue: Catalogue, question: Question) -> None:
        self._catalogue = catalogue
        self._limit = question.limit
        self._exchange = question.exchange.upper()
        self._by_id: dict[int, Market] = {}

    @property
    def enough(self) -> bool:
        return len(self._by_id) >= self._limit

    @property
    def markets(self) -> list[Market]:
        return list(self._by_id.values())

    def take(self, ids: Ids, test: _Test | None = None) -> None:
        """Look at the markets in this order, until there are enough."""
        for begin in range(0, len(ids), _BREATH):
            for market_id in ids[begin : begin + _BREATH].tolist():
                if self.enough:
                    return
                market = self._catalogue.get(market_id)
                known = market_id in self._by_id
                if not known and self._wanted(market) and (test is None or test(market)):
                    self._by_id[market_id] = market
            time.sleep(0)

    def _wanted(self, market: Market) -> bool:
        in_exchange = not self._exchange or market.spec.exchange.upper() == self._exchange
        return in_exchange and self._catalogue.is_shown(market)


def _busiest_first(ids: Ids, standings: Standings) -> Ids:
    return ids[np.argsort(-standings.volumes(ids), kind="stable")]


def _begins(market: Market, text: str) -> bool:
    return any(name.startswith(text) for name in names_of(market).values())


def _holds(market: Market, text: str) -> bool:
    return any(text in name for name in names_of(market).values())
