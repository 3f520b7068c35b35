"""What a commit must keep to: room on the disk, and what retention took away.

Used by the writer's thread alone.
"""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc
from clickhouse_connect.driver.client import Client

from appliance.errors import BadRequest
from appliance.model import LOG_INDEX_BITS, Market
from appliance.store.disk import Disk
from appliance.store.journal import Span
from appliance.store.limits import candles_from
from appliance.store.reader import select
from appliance.store.rebuild import days, forget
from appliance.store.retention import Policy

log = logging.getLogger(__name__)


class Bounds:
    """The limits of one store."""

    def __init__(self, disk: Disk, policy: Policy) -> None:
        """Limit nothing but the disk before `load` or a pruning."""
        self.disk = disk
        self.policy = policy
        self.trades_from = 0
        """Unix second before which nothing is accepted of any market."""
        self.candles_from: dict[int, int] = {}
        """Unix seconds before which candles are not kept, by interval in seconds."""

    def load(self, client: Client) -> None:
        """Read what earlier prunings noted."""
        self.candles_from = candles_from(client)

    def require_room(self) -> None:
        """Return if there is room to write.

        Raises:
            DiskFull: less is free than the floor.
        """
        self.disk.require_room()

    def refuse_old(self, trades: pa.Table, markets: Iterable[Market]) -> None:
        """Return if no trade is older than what is kept of its market.

        Raises:
            BadRequest: one is; its candles could not be made of all their trades again.
        """
        limits = {m.id: (max(m.raw_complete_from, self.trades_from), m) for m in markets}
        highest = max((limit for limit, _ in limits.values()), default=0)
        if not highest or not trades.num_rows:
            return
        seconds = pc.floor(pc.divide(trades["time"].cast(pa.int64()), 1_000_000))
        old = trades.append_column("second", seconds).filter(pc.less(seconds, highest))
        for market_id, (limit, market) in limits.items():
            rows = old.filter(pc.equal(old["market_id"], market_id))
            if rows.num_rows and (oldest := pc.min(rows["second"]).as_py()) < limit:
                raise BadRequest(self._sentence(market, limit, oldest), "time")

    def _sentence(self, market: Market, limit: int, oldest: int) -> str:
        days_kept = self.policy.trades_days or "0, but was set before"
        return (
            f"time of a trade of {market.symbol} must be {_instant(limit)} or later, was "
            f"{_instant(oldest)}: older trades were removed (RETENTION_TRADES_DAYS is "
            f"{days_kept}), and their candles cannot be made again; leave them out, or import "
            "them into a data directory that keeps them"
        )

    def retracted_below(
        self, client: Client, markets: Iterable[Market], from_block: int
    ) -> tuple[int, ...]:
        """Return the ids of markets whose candles without trades hold blocks from one on.

        They stay as they are: nothing is left to make them of.
        """
        limited = {m.id: m for m in markets if m.raw_complete_from}
        if not limited:
            return ()
        where = {"markets": list(limited), "first": from_block << LOG_INDEX_BITS}
        columns = select(client, "select_retracted_below", where)
        found = tuple(columns[0]) if columns else ()
        for market in (limited[market_id] for market_id in found):
            log.warning(
                "%s: candles before %s hold blocks from %d on that were retracted; their trades "
                "were removed by RETENTION_TRADES_DAYS, so they stay as they are",
                *(market.symbol, _instant(market.raw_complete_from)[:10], from_block),
            )
        return found

    def below(self, spans: Iterable[Span]) -> list[Span]:
        """Return the spans that reach below what is kept of some interval's candles."""
        highest = max(self.candles_from.values(), default=0)
        return [span for span in spans if span.first < highest]

    def forget(self, client: Client, spans: Iterable[Span]) -> None:
        """Delete the candles in `spans` that are not kept: late trades make pieces of them."""
        for span in spans:
            forget(client, *days(span), self.candles_from)


def _instant(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
