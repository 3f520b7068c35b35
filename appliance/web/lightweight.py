"""Plain JSON for lightweight-charts and everybody else: `/api/lightweight/*`.

*Timeframe* is this dialect's word for an interval. `time` is unix seconds.
"""

import time
from typing import Any, Final
from urllib.parse import unquote

import sanic
from sanic import Blueprint, HTTPResponse

from appliance.datafeed import Datafeed
from appliance.interval import Interval
from appliance.marks import MARKS_MAX
from appliance.model import Candles, Market
from appliance.web import params
from appliance.web.answers import answer
from appliance.web.fill import filled
from appliance.web.marks import mark_rows
from appliance.web.parts import Parts
from appliance.web.shapes import candle_columns, candle_objects, market_row, trade_rows

PAGE_MAX: Final = 1_000
SEQUENCE_MAX: Final = (1 << 64) - 1
MARKS_DEFAULT: Final = 100
DAY_S: Final = 86_400
AHEAD_S: Final = 60
"""Blocks may be stamped this much ahead of the clock."""
_SHAPES: Final = {"objects": candle_objects, "columns": candle_columns}
_SORTS: Final = (
    *("quote_volume_24h", "volume_24h", "trades_24h", "current_price", "price_change_24h"),
    *("price_change_percent_24h", "high_24h", "low_24h", "symbol", "name"),
)
_NAMES: Final = ("symbol", "name")
Row = dict[str, Any]


def blueprint(parts: Parts) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("lightweight", url_prefix="/api/lightweight")
    settings, catalogue, datafeed = parts.settings, parts.catalogue, parts.datafeed

    @routes.get("/ohlcv")
    async def ohlcv(request: sanic.Request) -> HTTPResponse:
        query = params.read(request, settings)
        market = catalogue.resolve(query.text("symbol"))
        timeframe = query.interval("timeframe", "1m")
        from_time, to_time = query.time_range(int(time.time()))
        limit = query.integer("limit", 500, 1, settings.history_max_bars)
        fill, form = query.choice("fill", ("none", "previous")), query.choice("format", _SHAPES)
        count = limit if from_time is None else 0
        found = await datafeed.candles(
            market, timeframe, from_time, to_time, count, limit, older=True
        )
        whole = found.candles
        candles = filled(whole, timeframe, limit) if fill == "previous" else whole
        meta = _meta(market, timeframe, candles, _more(whole, candles, found.older, from_time))
        data = _SHAPES[form](candles, found.provisional_from)
        return answer(request, {"success": True, "data": data, "meta": meta})

    @routes.get("/markets")
    async def markets(request: sanic.Request) -> HTTPResponse:
        query = params.read(request, settings)
        text = query.text("query", "")
        found = await datafeed.search(text, limit=PAGE_MAX) if text else catalogue.visible()
        rows = await market_rows(datafeed, found)
        return answer(request, _page(rows, query))

    @routes.get("/markets/<symbol:str>")
    async def one_market(request: sanic.Request, symbol: str) -> HTTPResponse:
        market = catalogue.resolve(unquote(symbol))
        rows = await market_rows(datafeed, [market])
        return answer(request, {"success": True, "data": rows[0]})

    @routes.get("/trades")
    async def trades(request: sanic.Request) -> HTTPResponse:
        query = params.read(request, settings)
        market = catalogue.resolve(query.text("symbol"))
        limit = query.integer("limit", 100, 1, PAGE_MAX)
        before = query.number("before", "the sequence of a trade", 0, SEQUENCE_MAX)
        rows = trade_rows(await datafeed.trades(market, limit, before))
        meta = {"symbol": market.symbol, "count": len(rows)}
        if market.raw_complete_from:
            meta["raw_complete_from"] = market.raw_complete_from
        return answer(request, {"success": True, "data": rows, "meta": meta})

    @routes.get("/marks")
    async def marks(request: sanic.Request) -> HTTPResponse:
        return answer(request, await marks_body(parts, params.read(request, settings)))

    return routes


async def marks_body(parts: Parts, query: params.Params) -> dict[str, Any]:
    """Return the newest marks of a range, ascending; without `from`, of the day before `to`."""
    now = int(time.time())
    market = parts.catalogue.resolve(query.text("symbol"))
    from_time, asked_to = query.time_range(now)
    limit = query.integer("limit", MARKS_DEFAULT, 1, MARKS_MAX)
    to_time = min(asked_to, now + AHEAD_S)
    first = to_time - DAY_S if from_time is None else from_time
    rows = mark_rows(await parts.datafeed.marks(market, first, to_time, limit))
    meta = {"symbol": market.symbol, "count": len(rows), "from": first, "to": to_time}
    return {"success": True, "data": rows, "meta": meta}


async def market_rows(datafeed: Datafeed, markets: list[Market]) -> list[Row]:
    """Return a row for each market, with its last 24 hours."""
    summaries = await datafeed.summaries(markets)
    return [market_row(market, summaries.get(market.id)) for market in markets]


def busiest_first(rows: list[Row]) -> list[Row]:
    """Return rows by what was traded in 24 hours, in quote units."""
    return _sorted(rows, "quote_volume_24h", descending=True)


def _sorted(rows: list[Row], key: str, descending: bool) -> list[Row]:
    """Return rows by `key`; where it is not known they come last, whatever the direction."""
    known = sorted((r for r in rows if key in r), key=lambda r: r[key], reverse=descending)
    return known + [row for row in rows if key not in row]


def _page(rows: list[Row], query: params.Params) -> dict[str, Any]:
    sort = query.choice("sort", _SORTS)
    order = query.choice("order", ("asc", "desc") if sort in _NAMES else ("desc", "asc"))
    limit = query.integer("limit", 100, 1, PAGE_MAX)
    offset = query.integer("offset", 0, 0, 10**9)
    page = _sorted(rows, sort, order == "desc")[offset : offset + limit]
    meta = {"total": len(rows), "count": len(page), "limit": limit, "offset": offset}
    return {"success": True, "data": page, "meta": meta | {"sort": sort, "order": order}}


def _more(whole: Candles, sent: Candles, older: int | None, from_time: int | None) -> bool:
    """Return whether the asked range holds candles before those sent."""
    if len(whole) and whole.time[0] < sent.time[0]:
        return True  # filled gaps pushed them out
    return older is not None and (from_time is None or older >= from_time)


def _meta(market: Market, timeframe: Interval, candles: Candles, more: bool) -> dict[str, Any]:
    """Return what was sent, and the `to` that asks for what comes before it.

    `raw_complete_from` is there where retention removed trades before that second.
    """
    times, raw_from = candles.time, market.raw_complete_from
    return ({"raw_complete_from": raw_from} if raw_from else {}) | {
        "symbol": market.symbol,
        "timeframe": timeframe.name,
        "count": len(times),
        "from": times[0] if times else None,
        "to": times[-1] if times else None,
        "has_more": more,
        "next_to": times[0] if more and times else None,
    }
