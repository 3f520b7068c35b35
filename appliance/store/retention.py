"""Remove what is older than the operator wants to keep, by whole days.

The limits are written down before anything is deleted, so that whatever happens in between, no
candle is made anew of trades that are gone. Whole months of trades are dropped, which needs next
to no space and gives theirs back at once; the rest is deleted, and its space comes back when its
month or, for candles, the next month is dealt with.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from clickhouse_connect.driver.client import Client

from appliance.model import Market
from appliance.store import checkpoints
from appliance.store.enrol import insert_markets
from appliance.store.limits import KIND, candles_from
from appliance.store.reader import select
from appliance.store.rebuild import DAY_S, run

log = logging.getLogger(__name__)
_PRUNED: Final = "pruned"
"""Kind of the checkpoints that say what is deleted already, by table and interval."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How many days are kept: of trades (0: all), and of candles by interval in seconds."""

    trades_days: int = 0
    candles_days: Mapping[int, int] = field(default_factory=dict)

    def trades_from(self, now: int) -> int:
        """Return the first second of the first day whose trades are kept, 0 if all are."""
        return first_kept(now, self.trades_days) if self.trades_days else 0

    def candles_from(self, now: int) -> dict[int, int]:
        """Return the first second of the first day that is kept, by interval."""
        return {interval: first_kept(now, days) for interval, days in self.candles_days.items()}


def first_kept(now: int, days: int) -> int:
    """Return the start of the day `days` before `now`: at least so many whole days are kept."""
    return max(0, (now // DAY_S - days) * DAY_S)


def limit_markets(client: Client, markets: Iterable[Market], limit: int) -> list[Market]:
    """Note that trades before second `limit` are not complete; return the markets this changes."""
    changed = [replace(m, raw_complete_from=limit) for m in markets if m.raw_complete_from < limit]
    insert_markets(client, changed)
    return changed


def limit_candles(client: Client, limits: Mapping[int, int]) -> dict[int, int]:
    """Note from when on candles are kept; return all limits, which never go back."""
    known = candles_from(client)
    for interval, limit in limits.items():
        if limit > known.get(interval, 0):
            checkpoints.write(client, KIND, str(interval), str(limit))
            known[interval] = limit
    return known


def delete(client: Client, trades_from: int, candles: Mapping[int, int]) -> bool:
    """Delete what lies below the limits, if that was not done; return whether anything was."""
    done = {key: int(value) for key, value in checkpoints.read(client, _PRUNED).items()}
    changed = False
    if trades_from > done.get("trades", 0):
        _delete_trades(client, trades_from)
        checkpoints.write(client, _PRUNED, "trades", str(trades_from))
        changed = True
    for interval, limit in candles.items():
        former = done.get(str(interval), 0)
        if limit > former:
            where = {"interval": interval, "from": 0, "to": limit}
            run(client, "delete_old_candles", where)
            if _month(former) != _month(limit):
                _free(client, limit)
            checkpoints.write(client, _PRUNED, str(interval), str(limit))
            changed = True
    return changed


def _delete_trades(client: Client, limit: int) -> None:
    boundary = _month(limit)
    columns = select(client, "select_old_partitions", {"partition": boundary})
    for partition, rows in zip(*columns, strict=True) if columns else ():
        if partition < boundary:
            run(client, "drop_partition", {"table": "trades", "partition": partition})
            log.info("retention: %s trades of %s removed", f"{rows:,}", partition)
    run(client, "delete_old_trades", {"to": limit})


def _free(client: Client, limit: int) -> None:
    """Give the space of deleted candles back; once a month, as whole years are written anew."""
    columns = select(client, "select_masked_partitions", {"table": "candles"})
    for partition in columns[0] if columns else ():
        if partition <= _month(limit)[:4]:
            where = {"table": "candles", "partition": partition}
            run(client, "free_partition", where)  # the engine does it in the background


def _month(second: int) -> str:
    """Return the partition of trades that a second lies in."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y%m")
