"""Standings that are made up: what markets cost, and what was traded of them in 24 hours."""

from collections.abc import Mapping

import numpy as np

from appliance.statistics.board import KEYS, Key, Numbers, Standings
from appliance.store.reader import Columns


def standing(volumes: Mapping[int, float], priced: int = 0) -> Standings:
    """Return standings in which markets 1 to `priced` have a price, those of `volumes` a volume."""
    day_ids = np.array(sorted(volumes), np.uint32)
    numbers = np.array([volumes[i] for i in day_ids.tolist()])
    busiest = day_ids[np.argsort(-numbers, kind="stable")]
    day: dict[Key, Numbers] = dict.fromkeys(KEYS, numbers)
    ids = np.arange(1, max([priced, *volumes]) + 1, dtype=np.uint32)
    return Standings(ids, ids.astype(float), day_ids, day, busiest)


class FakeStore:
    """Answers the two queries of the board from what it holds, and counts them."""

    def __init__(self) -> None:
        """Hold nothing: no market has a price."""
        self.prices: dict[int, float] = {}
        self.days: dict[int, tuple[float, ...]] = {}
        self.asked = 0
        self.failure: Exception | None = None

    async def query(self, name: str, **bounds: int) -> Columns:
        """Return the columns of one query."""
        self.asked += 1
        if self.failure:
            raise self.failure
        within = range(bounds["first"], bounds["last"] + 1)
        if name == "select_prices":
            rows = [(i, price) for i, price in sorted(self.prices.items()) if i in within]
            return list(zip(*rows, strict=True))
        days = [(i, *day) for i, day in sorted(self.days.items()) if i in within]
        return list(zip(*days, strict=True))
