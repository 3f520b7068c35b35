"""One page of candles, as `/api/lightweight/ohlcv` answers it: the newest ones of a range.

`meta.next_to` is the `to` that asks for the page before it; asked so until there is none, every
candle of the range comes once. With `fill=previous`, every bucket from the first candle on does.
"""

import time
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from appliance.datafeed import Datafeed, History
from appliance.errors import BadRequest
from appliance.interval import Interval
from appliance.model import Candles, Market
from appliance.settings import Settings
from appliance.store.catalogue import Catalogue
from appliance.web import heikin_ashi
from appliance.web.fill import filled
from appliance.web.params import Params
from appliance.web.shapes import COLUMNS, candle_columns, candle_objects

DEFAULT_LIMIT: Final = 500
FILLS: Final = ("none", "previous")
TYPES: Final = ("candles", "heikin-ashi")
SHAPES: Final = {"objects": candle_objects, "columns": candle_columns}
SHOWN: Final = COLUMNS
LINE_END: Final = b"\r\n"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a market: times are unix seconds, `to_time` None for up to now."""

    market: Market
    timeframe: Interval
    from_time: int | None
    to_time: int | None
    limit: int
    fill: str
    type: str


@dataclass(frozen=True, slots=True)
class Page:
    """The candles, from where on they may change, and whether the range holds older ones."""

    question: Question
    candles: Candles
    provisional_from: int | None
    has_more: bool

    def data(self, form: str) -> Any:
        """Return the candles as objects or as columns."""
        return SHAPES[form](self.candles, self.provisional_from)

    def meta(self) -> dict[str, Any]:
        """Return what was sent, and the `to` that asks for what comes before it.

        `raw_complete_from` is there where retention removed trades before that second.
        """
        market, times = self.question.market, self.candles.time
        raw_from = market.raw_complete_from
        return ({"raw_complete_from": raw_from} if raw_from else {}) | {
            "symbol": market.symbol,
            "timeframe": self.question.timeframe.name,
            "count": len(times),
            "from": times[0] if times else None,
            "to": times[-1] if times else None,
            "has_more": self.has_more,
            "next_to": times[0] if self.has_more and times else None,
        }

    def csv(self) -> bytes:
        """Return a line of names, and a line for each candle, with the digits of the JSON form."""
        columns = candle_columns(self.candles, self.provisional_from)
        lines = [",".join(columns).encode()]
        rows = msgspec.json.encode(list(zip(*columns.values(), strict=True)))
        lines += rows[2:-2].split(b"],[") if len(self.candles) else []
        return LINE_END.join([*lines, b""])


def question(query: Params, catalogue: Catalogue, settings: Settings) -> Question:
    """Return the question that the parameters ask.

    Raises:
        BadRequest: one of them is wrong.
        UnknownSymbol: no market answers to the symbol.
    """
    from_time, to_time = query.time_range(None)
    asked = Question(
        catalogue.resolve(query.text("symbol")),
        query.interval("timeframe", "1m"),
        from_time,
        to_time,
        query.integer("limit", DEFAULT_LIMIT, 1, settings.history_max_bars),
        query.choice("fill", FILLS),
        query.choice("type", TYPES),
    )
    if asked.fill != "none" and asked.type != "candles":
        raise BadRequest(
            f"fill must be none with type=heikin-ashi, was {asked.fill!r}: averages of bars that "
            "nobody traded would be invented",
            "fill",
        )
    return asked


async def read(datafeed: Datafeed, asked: Question) -> Page:
    """Return the newest `limit` candles of the range.

    Raises:
        Retryable: the store fails.
    """
    after_now = int(time.time()) + 1
    to_time = after_now if asked.to_time is None else asked.to_time
    count = asked.limit if asked.from_time is None else 0
    found = await datafeed.candles(
        *(asked.market, asked.timeframe, asked.from_time, to_time, count, asked.limit), older=True
    )
    candles = found.candles
    has_more = found.older is not None and (
        asked.from_time is None or found.older >= asked.from_time
    )
    if asked.fill == "previous":
        candles, has_more = await _filled(datafeed, asked, found, after_now)
    elif asked.type == "heikin-ashi":
        candles = await _averaged(datafeed, asked, candles)
    return Page(asked, candles, found.provisional_from, has_more)


async def _filled(
    datafeed: Datafeed, asked: Question, found: History, after_now: int
) -> tuple[Candles, bool]:
    """Return the page without holes, and whether there is anything before it.

    Holes are filled up to `to`, where it is given and not in the future; so the next page ends
    where this one begins, though no candle is there.
    """
    step, whole = asked.timeframe, found.candles
    first = None if asked.from_time is None else step.ceil(asked.from_time)
    end = None if asked.to_time is None else min(asked.to_time, after_now)
    if first is not None and (not len(whole) or whole.time[0] > first):
        before = whole.time[0] if len(whole) else first
        whole = _joined(await _older(datafeed, asked, before, 1), whole)
    page = filled(whole, step, asked.limit, first, end)
    if not len(page):
        return page, False
    if first is not None and page.time[0] == first:
        return page, False
    return page, whole.time[0] < page.time[0] or (first is None and found.older is not None)


async def _averaged(datafeed: Datafeed, asked: Question, candles: Candles) -> Candles:
    if not len(candles):
        return candles
    older = await _older(datafeed, asked, candles.time[0], heikin_ashi.REACH)
    averaged = heikin_ashi.averaged(_joined(older, candles))
    return _last(averaged, len(candles))


async def _older(datafeed: Datafeed, asked: Question, before: int, count: int) -> Candles:
    """Return the newest `count` candles that start before a time, over any hole."""
    market, timeframe = asked.market, asked.timeframe
    return (await datafeed.candles(market, timeframe, None, before, count, count)).candles


def _joined(older: Candles, newer: Candles) -> Candles:
    return Candles(*(getattr(older, name) + getattr(newer, name) for name in SHOWN))


def _last(candles: Candles, count: int) -> Candles:
    return Candles(*(getattr(candles, name)[-count:] for name in SHOWN))
