"""How far each chain is processed: what closes the bars of its markets."""

import pyarrow as pa
import pyarrow.compute as pc

from appliance.model import Commit, Market
from appliance.store.catalogue import DEMO_EXCHANGE


def closes_by_chain(market: Market) -> bool:
    """Return whether blocks close the market's bars; the clock closes all others."""
    return market.spec.order == "chain" and market.spec.exchange != DEMO_EXCHANGE


class Heads:
    """The time of the newest processed block, by chain."""

    def __init__(self) -> None:
        """Know no chain."""
        self._times: dict[int, int] = {}

    def time(self, market: Market) -> int:
        """Return up to which unix second the market's chain is processed, 0 if unknown."""
        return self._times.get(market.spec.chain_id, 0)

    def processed(self, chain_id: int, block_time: int) -> None:
        """Note that a chain is processed up to a block of this time."""
        self._times[chain_id] = max(block_time, self._times.get(chain_id, 0))

    def follow(self, commit: Commit) -> None:
        """Take what a commit says about its chains, forward or back."""
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


def _newest(commit: Commit, market_ids: list[int]) -> int | None:
    """Return the unix second of the newest trade of these markets, None if there is none."""
    table = commit.trades
    if len(market_ids) < len(commit.markets):
        wanted = pa.array(market_ids, pa.uint32())
        table = table.filter(pc.is_in(table["market_id"], value_set=wanted))
    newest = pc.max(table["time"]).cast(pa.int64()).as_py()
    return None if newest is None else newest // 1_000_000
