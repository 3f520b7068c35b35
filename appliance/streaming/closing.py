"""When bars close, and when no reorg can change them any more.

Blocks close the bars of a chain that is followed, the clock closes all others after a grace.
"""

import math
from collections.abc import Callable, Collection

from appliance.forming import Bar
from appliance.heads import Heads
from appliance.streaming.series import REVISED_MAX, Series


class Closing:
    """Knows by clock and chains what is over."""

    def __init__(self, heads: Heads, grace_s: float, clock: Callable[[], float]) -> None:
        """Close by the clock `grace_s` after a bar's end."""
        self._heads = heads
        self._grace_s = grace_s
        self._clock = clock

    def is_due(self, series: Series) -> bool:
        """Return whether a bar may have closed or become final since the last `settle`."""
        if series.by_chain:
            return series.seen != self._heads.changes
        return self._clock() >= series.due

    def settle(self, series: Series, changed: Collection[int]) -> list[Bar]:
        """Mark what closed and what became final; return that and what `changed`, to be told.

        A bar whose sums may miss their last digit does not close before it was read again.
        """
        shown, turned = [], []
        for start, bar in sorted(series.bars.items()):
            closed = bar.closed or self.is_closed(series, start)
            final = self.is_final(series, bar)
            if closed and bar.doubtful:
                series.revise.add(start)
                continue
            if start in changed or closed != bar.closed:
                shown.append(bar)
            elif closed and final != bar.final:
                turned.append(bar)
            bar.closed, bar.final = closed, final
        self._plan(series)
        return sorted([*turned, *shown[-REVISED_MAX:]], key=lambda bar: bar.start)

    def _plan(self, series: Series) -> None:
        """Note when it is worth looking again: at a time, or with news of the chain."""
        series.seen = self._heads.changes
        if not series.by_chain:
            open_bars = (start for start, bar in series.bars.items() if not bar.closed)
            ends = (series.interval.shift(start, 1) for start in open_bars)
            series.due = min(ends, default=math.inf) + self._grace_s

    def is_closed(self, series: Series, start: int) -> bool:
        """Return whether the bar that begins at `start` is over."""
        end = series.interval.shift(start, 1)
        if not series.by_chain:
            return self._clock() >= end + self._grace_s
        newest = series.newest.start if series.newest else 0
        return max(newest, self._heads.time(series.market)) >= end

    def is_final(self, series: Series, bar: Bar) -> bool:
        """Return whether no reorg can change a bar."""
        end = series.interval.shift(bar.start, 1)
        return self._heads.is_final(series.market, bar.last_sequence, end)

    def carry(
        self, series: Series, bars: dict[int, Bar], shown: Collection[int], gone: Collection[int]
    ) -> None:
        """Mark those of newly read `bars` that were announced as closed or provisional, or before.

        Those of a revised range may form again, and the one before it that is the last again.
        """
        former = max(series.bars, default=0)
        for start, bar in bars.items():
            known = None if start in gone else series.bars.get(start)
            if known is not None and (bar is not series.newest or start >= former):
                bar.closed, bar.final = known.closed, known.final
            elif start not in shown and bar is not series.newest:
                bar.closed, bar.final = self.is_closed(series, start), self.is_final(series, bar)
