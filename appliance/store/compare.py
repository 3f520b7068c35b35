"""Compare the candles of a piece with those that its trades make, exactly.

Open, high, low and close are compared bit by bit, volumes as decimals; the engine does it, and
answers with counts, a few examples, and the days to make anew.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from appliance.store.journal import Span
from appliance.store.limits import candles_from
from appliance.store.pieces import Piece, pieces, weights
from appliance.store.reader import select
from appliance.store.rebuild import DAY_S

COLUMNS: Final = (
    *("open", "high", "low", "close"),
    *("base volume", "quote volume", "buy volume", "buy quote volume"),
    *("trades", "liquidations", "first sequence", "last sequence", "rows"),
)
"""What is compared; the query answers with a bit for each, the lowest for the first."""


@dataclass(frozen=True, slots=True)
class Example:
    """One candle that is not what its trades make; `start` in unix seconds."""

    interval: int
    market_id: int
    start: int
    problem: str


@dataclass(frozen=True, slots=True)
class Found:
    """What comparing the candles of one interval (in seconds) found."""

    interval: int
    checked: int
    differing: int
    missing: int
    extra: int
    first: int
    last: int
    examples: tuple[Example, ...]
    days: tuple[tuple[int, int], ...]
    """Market and first second of each day with an unequal candle."""

    @property
    def unequal(self) -> int:
        """Return how many candles are not what their trades make."""
        return self.differing + self.missing + self.extra


@dataclass(frozen=True, slots=True)
class Look:
    """What comparing one piece found; `done` is how much of everything is compared, up to 1."""

    piece: Piece
    found: list[Found]
    done: float


def looks(client: Client, first: int, floors: Mapping[int, int]) -> Iterator[Look]:
    """Compare everything from second `first` on, piece by piece, as the caller asks for it.

    `floors` are the seconds below which a market's trades are not complete: nothing is compared
    there.
    """
    by_market = weights(client, first)
    whole, done = sum(by_market.values()) or 1, 0
    for piece in pieces(client, by_market, first, floors):
        found = compare(client, piece, candles_from(client))
        done += piece.weight
        yield Look(piece, found, min(1.0, done / whole))


def compare(client: Client, piece: Piece, kept_from: Mapping[int, int]) -> list[Found]:
    """Return what is found, by ascending interval; intervals without candles are left out.

    `kept_from` are the seconds before which candles of an interval are not kept, nor compared.
    """
    where = {
        "first_market": piece.first_market,
        "last_market": piece.last_market,
        "from": piece.first,
        "to": piece.end,
        "limited": list(kept_from),
        "kept_from": list(kept_from.values()),
    }
    columns = select(client, "compare_with_trades", where)
    return [_found(row) for row in zip(*columns, strict=True)] if columns else []


def _found(row: Sequence[Any]) -> Found:
    interval, checked, differing, missing, extra, first, last, examples, days = row
    shown = tuple(
        Example(interval, market_id, start, _problem(is_missing, is_extra, bits))
        for start, market_id, is_missing, is_extra, bits in examples
    )
    unequal_days = tuple((int(market), int(day)) for market, day in days)
    return Found(*(interval, checked, differing, missing, extra, first, last), shown, unequal_days)


def _problem(is_missing: int, is_extra: int, bits: int) -> str:
    if is_missing:
        return "missing"
    if is_extra:
        return "has no trades"
    return "wrong " + ", ".join(name for bit, name in enumerate(COLUMNS) if bits >> bit & 1)


def settled(looked: Iterable[Found], wrong: Iterable[Found]) -> list[Found]:
    """Return what was looked at, with only what turned out to be `wrong` as unequal."""
    by_interval = {
        each.interval: replace(each, differing=0, missing=0, extra=0, examples=(), days=())
        for each in looked
    }
    for each in wrong:
        nothing = replace(each, checked=0, differing=0, missing=0, extra=0, examples=(), days=())
        known = by_interval.get(each.interval, nothing)
        by_interval[each.interval] = replace(
            known,
            differing=known.differing + each.differing,
            missing=known.missing + each.missing,
            extra=known.extra + each.extra,
            examples=known.examples + each.examples,
            days=known.days + each.days,
        )
    return [by_interval[interval] for interval in sorted(by_interval)]


def spans(found: Iterable[Found]) -> list[Span]:
    """Return the unequal days by market and time, those that follow each other as one."""
    runs: list[Span] = []
    for market_id, day in sorted({day for each in found for day in each.days}):
        last = runs[-1] if runs else None
        if last is not None and (last.market_id, last.last + 1) == (market_id, day):
            runs[-1] = Span(market_id, last.first, day + DAY_S - 1)
        else:
            runs.append(Span(market_id, day, day + DAY_S - 1))
    return runs
