"""Cut everything that is stored into pieces that one query compares.

A piece is whole days of one market, or of several small ones. What it may hold is bounded, so that
neither the memory nor the time of its query grows with the store: small markets share a piece, a
large one is cut by months, a month that is still too large by days. A day is never cut, as its
candles of one day could not be compared then; it has at most 88,255 of them, however many trades.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from appliance.store.reader import select
from appliance.store.rebuild import DAY_S

END: Final = (1 << 32) // DAY_S * DAY_S
"""Unix seconds; trades are accepted up to 2100, and a DateTime ends in 2106."""
WEIGHT_MAX: Final = 100_000
"""Candles in one piece, so that comparing it takes a third of a second."""
_TRADES_PER_CANDLE: Final = 16
"""To read so many trades costs as much as to make and compare one candle."""


@dataclass(frozen=True, slots=True)
class Piece:
    """All candles of markets `first_market` to `last_market` in [first, end), by unix second.

    `weight` is what comparing them costs, in candles.
    """

    first_market: int
    last_market: int
    first: int
    end: int
    weight: int


def weights(client: Client, first: int) -> dict[int, int]:
    """Return what comparing each market from second `first` on costs, by ascending id."""
    where = {"from": first, "trades_per_candle": _TRADES_PER_CANDLE}
    return dict(_rows(client, "select_weights", where))


def pieces(
    client: Client,
    by_market: Mapping[int, int],
    first: int,
    floors: Mapping[int, int],
    weight_max: int = WEIGHT_MAX,
) -> Iterator[Piece]:
    """Yield the pieces of the markets that `weights` returned, by market and time.

    `floors` are the seconds below which a market's trades are not complete; those days are left
    out. Large markets are measured when it is their turn.
    """
    shared: list[tuple[int, int]] = []
    for market_id, weight in by_market.items():
        floor = max(first, day_from(floors.get(market_id, 0)))
        if weight <= weight_max and floor == first:
            shared.append((market_id, weight))
            continue
        yield from _shared(shared, first, weight_max)
        shared = []
        if floor < END:
            whole = Piece(market_id, market_id, floor, END, weight)
            yield from _of_market(client, whole, weight_max)
    yield from _shared(shared, first, weight_max)


def parts(piece: Piece, days: Iterable[tuple[int, int]], most: int) -> list[Piece]:
    """Return parts of a piece that hold these days (market, first second), each of about `most`.

    Those of several markets are cut by market, those of one by days, as if all weighed the same.
    """
    unequal = sorted(set(days))
    markets = sorted({market for market, _ in unequal})
    keys = markets if len(markets) > 1 else [day for _, day in unequal]
    size = max(1, len(keys) * most // max(piece.weight, 1))
    groups = [keys[start : start + size] for start in range(0, len(keys), size)]
    weight = piece.weight // max(len(groups), 1)
    if len(markets) > 1:
        first, end = min(day for _, day in unequal), max(day for _, day in unequal) + DAY_S
        return [Piece(group[0], group[-1], first, end, weight) for group in groups]
    market = markets[0] if markets else piece.first_market
    return [Piece(market, market, group[0], group[-1] + DAY_S, weight) for group in groups]


def day_from(second: int) -> int:
    """Return the start of the first day that lies whole at or after a second."""
    return -(-second // DAY_S) * DAY_S


def _shared(markets: list[tuple[int, int]], first: int, weight_max: int) -> Iterator[Piece]:
    for group, weight in _packed(markets, weight_max):
        yield Piece(group[0], group[-1], first, END, weight)


def _of_market(client: Client, whole: Piece, weight_max: int) -> Iterator[Piece]:
    if whole.weight <= weight_max:
        yield whole
        return
    for month in _cut(client, whole, weight_max, by_month=True):
        if month.weight <= weight_max:
            yield month
        else:
            yield from _cut(client, month, weight_max, by_month=False)


def _cut(client: Client, whole: Piece, weight_max: int, *, by_month: bool) -> Iterator[Piece]:
    """Yield pieces of `whole` that leave nothing of it out."""
    where = {
        "market": whole.first_market,
        "from": whole.first,
        "to": whole.end,
        "by_month": by_month,
        "trades_per_candle": _TRADES_PER_CANDLE,
    }
    rows = _rows(client, "select_weights_of_market", where)
    groups = list(_packed(rows, weight_max))
    starts = [whole.first, *(max(whole.first, group[0]) for group, _ in groups[1:]), whole.end]
    for number, (_, weight) in enumerate(groups):
        market = whole.first_market
        yield Piece(market, market, starts[number], starts[number + 1], weight)


def _packed(rows: Iterable[tuple[int, int]], most: int) -> Iterator[tuple[list[int], int]]:
    """Yield runs of keys whose weights add up to at most `most`, or that are a single one."""
    keys: list[int] = []
    total = 0
    for key, weight in rows:
        if keys and total + weight > most:
            yield keys, total
            keys, total = [], 0
        keys.append(key)
        total += weight
    if keys:
        yield keys, total


def _rows(client: Client, query: str, parameters: dict[str, Any]) -> list[tuple[int, int]]:
    columns = select(client, query, parameters)
    return list(zip(*columns, strict=True)) if columns else []
