"""How far each chain is processed, which closes bars, and how far it is final.

Sources that follow a chain tell; datafeed and live ask. A chain that nobody follows (imports,
posted trades, the demo) has no reorgs that we would hear of: all of its candles are final.
"""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from appliance.interval import Interval
from appliance.model import LOG_INDEX_BITS, Candles, Commit, Market
from appliance.store.catalogue import DEMO_EXCHANGE

LATE_S: Final = 60
"""Trades that come later than this are corrections of history, not its end."""


def closes_by_chain(market: Market) -> bool:
    """Return whether blocks close the market's bars; the clock closes all others."""
    return market.spec.order == "chain" and market.spec.exchange != DEMO_EXCHANGE


@dataclass(frozen=True, slots=True)
class Finality:
    """The newest block that no reorg can replace, and the unix second of one up to it, if known."""

    block: int
    time: int | None = None


class Heads:
    """The newest processed and the newest final block, by chain."""

    def __init__(self) -> None:
        """Know no chain."""
        self.changes = 0
        """How often something became known; nobody need ask again before it grows."""
        self._times: dict[int, int] = {}
        self._finality: dict[int, Finality] = {}

    def time(self, market: Market) -> int:
        """Return up to which unix second the market's chain is processed, 0 if unknown."""
        return self._times.get(market.spec.chain_id, 0)

    def processed(self, chain_id: int, block_time: int) -> None:
        """Note that a chain is processed up to a block of this time."""
        if block_time > self._times.get(chain_id, 0):
            self._times[chain_id] = block_time
            self.changes += 1

    def finalized(self, chain_id: int, block: int, block_time: int | None = None) -> None:
        """Note that no block of a chain up to this one can be reorganized any more.

        `block_time` is its unix second, or that of a block before it. Finality never moves back:
        what is older than what is known changes nothing. A negative block says that the chain is
        followed and nothing of it is final yet.
        """
        known = self._finality.get(chain_id, Finality(block, block_time))
        times = [time for time in (known.time, block_time) if time is not None]
        newest = Finality(max(known.block, block), max(times, default=None))
        if self._finality.get(chain_id) != newest:
            self._finality[chain_id] = newest
            self.changes += 1

    def is_followed(self, market: Market) -> bool:
        """Return whether reorgs of the market's chain reach us, so that candles may change."""
        return closes_by_chain(market) and market.spec.chain_id in self._finality

    def is_final(self, market: Market, last_sequence: int, end: int) -> bool:
        """Return whether no reorg can change a candle with this last trade, over at `end`.

        Where the final block's time is known, trades that another fork may still add before
        `end` are ruled out, too; so a forming candle is not final.
        """
        if not self.is_followed(market):
            return True
        final = self._finality[market.spec.chain_id]
        if last_sequence >> LOG_INDEX_BITS > final.block:
            return False
        return final.time is None or end <= final.time

    def provisional_from(self, market: Market, interval: Interval, candles: Candles) -> int | None:
        """Return the start of the first candle that is not final: all after it are not, either.

        None where all are final. Blocks ascend with time, so the place is found by bisection.
        """
        if not self.is_followed(market):
            return None

        def is_provisional(i: int) -> bool:
            end = interval.shift(candles.time[i], 1)
            return not self.is_final(market, candles.last_sequence[i], end)

        first = bisect_left(range(len(candles)), True, key=is_provisional)
        return candles.time[first] if first < len(candles) else None

    def is_settled(self, market: Market, to: int, now: float) -> bool:
        """Return whether neither the next block nor a reorg can change candles before `to`."""
        if not self.is_followed(market):
            return to <= now - LATE_S
        time = self._finality[market.spec.chain_id].time
        return time is not None and to <= time

    def follow(self, commit: Commit) -> None:
        """Take what a commit says about its chains, forward or back; finality stays."""
        markets = [market for market in commit.markets if closes_by_chain(market)]
        chains: dict[int, list[int]] = {}
        for market in markets:
            chains.setdefault(market.spec.chain_id, []).append(market.id)
        for chain_id, ids in chains.items():
            newest = _newest(commit, ids)
            if newest is not None:
                self.processed(chain_id, newest)
            if any(r.reason == "reorg" and r.market_id in ids for r in commit.revisions):
                # bars that the gone blocks have closed form again; the next block tells more
                self._times.pop(chain_id, None)
                self.changes += 1


def _newest(commit: Commit, market_ids: list[int]) -> int | None:
    """Return the unix second of the newest trade of these markets, None if there is none."""
    table = commit.trades
    if len(market_ids) < len(commit.markets):
        wanted = pa.array(market_ids, pa.uint32())
        table = table.filter(pc.is_in(table["market_id"], value_set=wanted))
    newest = pc.max(table["time"]).cast(pa.int64()).as_py()
    return None if newest is None else newest // 1_000_000
