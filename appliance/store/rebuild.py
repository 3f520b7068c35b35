"""Make candles of trades again, by whole days, and find the days that need it.

A day holds whole buckets of every stored interval, so that candles of different days never share
a row. Volumes and prices that were deleted from trades cannot be taken out of a candle: its row is
deleted and made anew.
"""

import uuid
from collections.abc import Iterable, Mapping
from typing import Final

from clickhouse_connect.driver.client import Client

from appliance import resources
from appliance.store.journal import Span
from appliance.store.limits import candles_from, raw_from
from appliance.store.reader import select

DAY_S: Final = 86_400
_DAYS_AT_ONCE: Final = 31
"""So many days of trades are held in memory by one insert."""


def days(span: Span) -> tuple[int, int]:
    """Return the first second of the span's first day, and of the day after its last."""
    return span.first // DAY_S * DAY_S, (span.last // DAY_S + 1) * DAY_S


def rebuild(client: Client, span: Span) -> None:
    """Replace the candles of the days of `span` by those that its trades make."""
    rebuild_all(client, [span])


def rebuild_all(client: Client, spans: Iterable[Span]) -> None:
    """Replace the candles of the days of `spans`, one of each market.

    Markets with the same days are done at once: a deletion takes 50 to 100 ms, whatever it deletes.
    """
    by_market = {span.market_id: days(span) for span in spans}
    limits = raw_from(client, by_market)  # below it, the trades are gone
    markets: dict[tuple[int, int], list[int]] = {}
    for market_id, (first, end) in by_market.items():
        markets.setdefault((max(first, limits.get(market_id, 0)), end), []).append(market_id)
    for (first, end), ids in markets.items():
        if first < end:
            _rebuild(client, ids, first, end)


def _rebuild(client: Client, markets: list[int], first: int, end: int) -> None:
    where: dict[str, object] = {"markets": markets, "from": first, "to": end}
    run(client, "delete_candles", where)
    for begin in range(first, end, _DAYS_AT_ONCE * DAY_S):
        where |= {"from": begin, "to": min(begin + _DAYS_AT_ONCE * DAY_S, end)}
        token = uuid.uuid4().hex  # never a used one: the engine would swallow the insert
        run(client, "insert_candles", where, {"insert_deduplication_token": token})
    forget(client, first, end, candles_from(client))


def forget(client: Client, first: int, end: int, limits: Mapping[int, int]) -> None:
    """Delete candles in [first, end) that are no longer kept: `limits` are seconds by interval."""
    for interval, limit in limits.items():
        if first < limit:
            where = {"interval": interval, "from": first, "to": min(end, limit)}
            run(client, "delete_old_candles", where)


def unequal(client: Client, markets: Iterable[int], first: int, last: int) -> list[Span]:
    """Return the days in [first, last] whose candles miss rows or hold too many."""
    begin, end = days(Span(0, first, last))
    where = {"markets": list(markets), "from": begin, "to": end}
    where["seconds_from"] = candles_from(client).get(1, 0)
    columns = select(client, "select_unequal_days", where)
    if not columns:
        return []
    found = zip(*columns, strict=True)
    return [Span(market_id, day, day + DAY_S - 1) for market_id, day in found]


def run(
    client: Client,
    name: str,
    parameters: Mapping[str, object],
    settings: Mapping[str, object] | None = None,
) -> None:
    """Run the statement of `schema/queries/<name>.sql`, which answers nothing."""
    text = resources.text("schema", f"queries/{name}.sql")
    client.command(text, parameters=dict(parameters), settings=dict(settings or {}))
