"""Read candles from the store and make chunks of them.

Volumes come as text: Python's nearest double of it is what answers carry, and the newest candle,
which trades are added to, needs its digits exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any, Final, Protocol

from appliance.chunks.chunk import END, ROWS, Chunk
from appliance.forming import Bar
from appliance.interval import Interval, stored_divisor
from appliance.model import DECIMALS, Candles, Market

Columns = Sequence[Sequence[Any]]
_VOLUMES: Final = slice(5, 9)
"""Where base, quote, bought base and bought quote volume stand among the columns of candles."""
_EXACT: Final = Context(prec=100)
"""The default context would round volumes to 28 digits."""
NOTHING: Final = ((),) * len(Candles.__slots__)
"""The columns of no candle."""
_COUNT_MAX: Final = (1 << 31) - 1


class Queries(Protocol):
    """The part of the store's reader that is needed."""

    async def query(self, name: str, **parameters: Any) -> Columns:
        """Return the columns that query `name` answers, empty when it answers no rows."""
        ...


@dataclass(frozen=True, slots=True)
class Read:
    """What was read: all candles of [start, end) as chunks, and the newest of all, if it is there.

    `rows` counts buckets, also those that are not drawn because no price was known yet.
    """

    start: int
    chunks: list[Chunk]
    newest: Bar | None
    rows: int


def parameters(
    market: Market, interval: Interval, start: int, end: int, limit: int
) -> dict[str, Any]:
    """Return the parameters of query `select_candles`."""
    return {
        "market": market.id,
        "divisor": stored_divisor(interval).seconds,
        "step": interval.seconds,
        "offset": interval.offset,
        "months": interval.months,
        "from": max(start, 0),
        "to": end,
        "limit": limit,
    }


def nth_parameters(market: Market, interval: Interval, before: int, count: int) -> dict[str, Any]:
    """Return the parameters of query `select_nth_bucket`: `count` buckets of the interval back.

    `count` buckets hold at most count × (buckets of the divisor in each), and that many buckets of
    the divisor span at least `count`.
    """
    divisor = stored_divisor(interval)
    each = -(-interval.seconds // divisor.seconds) + 1
    wanted = min(count * each, _COUNT_MAX)
    return {"divisor": divisor.seconds, "market": market.id, "to": before, "count": wanted}


async def reach(
    queries: Queries, market: Market, interval: Interval, before: int, count: int
) -> int | None:
    """Return a bucket start from which on `count` buckets before a time hold candles.

    With fewer there, that of the oldest; None if there is none.
    """
    found = await queries.query(
        "select_nth_bucket", **nth_parameters(market, interval, before, count)
    )
    return max(0, interval.floor(int(found[0][0]))) if found else None


async def read(
    queries: Queries, market: Market, interval: Interval, span: tuple[int, int], limit: int
) -> Read:
    """Return the candles of a range, or the newest `limit` of them and where they begin."""
    start, end = span
    columns = await queries.query(
        "select_candles", **parameters(market, interval, start, end, limit)
    )
    last: float | None = None
    if columns and columns[1][-1] is None:
        last = await last_price(queries, market, interval, columns[0][-1])
    if columns and len(columns[0]) >= limit:
        start = columns[0][-1]
    return made(columns, (start, end), last)


async def last_price(
    queries: Queries, market: Market, interval: Interval, before: int
) -> float | None:
    """Return the last price before a time, None if there is none."""
    divisor = stored_divisor(interval).seconds
    found = await queries.query("select_last_price", divisor=divisor, market=market.id, to=before)
    return found[0][0] if found else None


def made(columns: Columns, span: tuple[int, int], last: float | None) -> Read:
    """Return the chunks of a range; `columns` come newest first, `last` is the price before them.

    Buckets without a price are flat at the last one; those before any price are not drawn.
    """
    start, end = span
    if not columns:
        return Read(start, [Chunk(start, end, NOTHING)], None, 0)
    ascending = [column[::-1] for column in columns]
    drawn = _flattened(ascending, last)
    leaning = [price is None for price in ascending[1][len(ascending[1]) - len(drawn[0]) :]]
    newest = _bar(drawn, priced=not leaning[-1]) if end == END and leaning else None
    if newest is not None:
        drawn = [column[:-1] for column in drawn]
    drawn[_VOLUMES] = [list(map(float, column)) for column in drawn[_VOLUMES]]
    chunks = _chunks(drawn, start, end, leaning)
    chunks[0].leans = ascending[1][0] is None
    return Read(start, chunks, newest, len(columns[0]))


def candles_of(columns: Columns, last: float | None) -> Candles:
    """Return all of what was read as candles."""
    drawn = _flattened([column[::-1] for column in columns], last) if columns else []
    if drawn:
        drawn[_VOLUMES] = [list(map(float, column)) for column in drawn[_VOLUMES]]
    return Candles(*map(list, drawn))


def _chunks(columns: Columns, start: int, end: int, leaning: Sequence[bool]) -> list[Chunk]:
    """Return chunks of ROWS candles, counted from the newest; `leaning` ones had no price."""
    times = columns[0]
    first = len(times) % ROWS or ROWS
    edges = [*range(first, len(times), ROWS)]
    bounds = [start, *(times[edge] for edge in edges), end]
    places = [0, *edges, len(times)]
    return [
        Chunk(
            *(bounds[i], bounds[i + 1], [c[places[i] : places[i + 1]] for c in columns]),
            leans=i > 0 and leaning[places[i]],
        )
        for i in range(len(places) - 1)
    ]


def _bar(columns: Columns, *, priced: bool) -> Bar:
    """Return the newest candle so that trades can be added to it."""
    row = [column[-1] for column in columns]
    exact = [Decimal(volume) for volume in row[_VOLUMES]]
    return Bar(
        *(row[0], row[1], row[2], row[3], row[4]),
        volumes=tuple(map(float, row[_VOLUMES])),
        totals=tuple(int(volume.scaleb(DECIMALS, _EXACT)) for volume in exact),
        trades=row[9],
        first_sequence=row[10],
        last_sequence=row[11],
        priced=priced,
    )


def _flattened(ascending: list[Any], last: float | None) -> list[Any]:
    """Return candles where buckets without a price repeat the last one; drop those before any."""
    if None not in ascending[1]:
        return ascending
    columns = [list(column) for column in ascending]
    prices = columns[1:5]
    first = 0
    for i, price in enumerate(ascending[1]):
        if price is None and last is None:
            first = i + 1
        elif price is None:
            for column in prices:
                column[i] = last
        last = columns[4][i] if columns[4][i] is not None else last
    return [column[first:] for column in columns]
