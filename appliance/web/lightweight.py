"""Plain JSON for lightweight-charts and everybody else: `/api/lightweight/*`.

*Timeframe* is this dialect's word for an interval. `time` is unix seconds.
"""

import time
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import unquote, urlencode

import sanic
from sanic import Blueprint, HTTPResponse

from appliance.datafeed import TIME_MAX, TradeRow
from appliance.marks import MARKS_MAX
from appliance.statistics.span import starts
from appliance.web import candle_page, market_list, params
from appliance.web.answers import answer, tagged
from appliance.web.market_list import PAGE_MAX, market_body
from appliance.web.marks import mark_rows
from appliance.web.params import Params
from appliance.web.parts import Parts
from appliance.web.shapes import stats_row, trade_rows

SEQUENCE_MAX: Final = (1 << 64) - 1
MARKS_DEFAULT: Final = 100
DAY_S: Final = 86_400
AHEAD_S: Final = 60
"""Blocks may be stamped this much ahead of the clock."""
CSV: Final = "text/csv; charset=utf-8"


def blueprint(parts: Parts) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("lightweight", url_prefix="/api/lightweight")
    settings, catalogue, datafeed = parts.settings, parts.catalogue, parts.datafeed

    @routes.get("/ohlcv")
    async def ohlcv(request: sanic.Request) -> HTTPResponse:
        return answer(request, await candles_body(parts, params.read(request, settings)))

    @routes.get("/ohlcv.csv")
    async def ohlcv_csv(request: sanic.Request) -> HTTPResponse:
        return await candles_csv(parts, request)

    @routes.get("/markets")
    async def markets(request: sanic.Request) -> HTTPResponse:
        return answer(request, await markets_body(parts, params.read(request, settings)))

    @routes.get("/markets/<symbol:str>")
    async def one_market(request: sanic.Request, symbol: str) -> HTTPResponse:
        market = catalogue.resolve(unquote(symbol))
        return answer(request, {"success": True, "data": await market_body(parts, market)})

    @routes.get("/stats")
    async def stats(request: sanic.Request) -> HTTPResponse:
        market = catalogue.resolve(params.read(request, settings).text("symbol"))
        now = int(time.time())
        summary = (await datafeed.summaries([market])).get(market.id)
        data = stats_row(market, summary, starts(now)["from"], now)
        return answer(request, {"success": True, "data": data})

    @routes.get("/trades")
    async def trades(request: sanic.Request) -> HTTPResponse:
        return answer(request, await trades_body(parts, params.read(request, settings)))

    @routes.get("/marks")
    async def marks(request: sanic.Request) -> HTTPResponse:
        return answer(request, await marks_body(parts, params.read(request, settings)))

    return routes


async def candles_body(parts: Parts, query: Params) -> dict[str, Any]:
    """Return one page of candles, as objects or columns."""
    form = query.choice("format", candle_page.SHAPES)
    asked = candle_page.question(query, parts.catalogue, parts.settings)
    page = await candle_page.read(parts.datafeed, asked)
    return {"success": True, "data": page.data(form), "meta": page.meta()}


async def candles_csv(parts: Parts, request: sanic.Request) -> HTTPResponse:
    """Return one page of candles as CSV; a `Link` header leads to the one before it."""
    query = params.read(request, parts.settings)
    asked = candle_page.question(query, parts.catalogue, parts.settings)
    page = await candle_page.read(parts.datafeed, asked)
    response = tagged(request, page.csv(), CSV)
    if (next_to := page.meta()["next_to"]) is not None:
        target = urlencode(query.values | {"to": next_to})
        response.headers["link"] = f'<{request.path}?{target}>; rel="next"'
    return response


async def markets_body(parts: Parts, query: Params) -> dict[str, Any]:
    """Return one page of markets."""
    return await market_list.answer_body(parts.directory, parts.datafeed, query)


async def trades_body(parts: Parts, query: Params) -> dict[str, Any]:
    """Return the newest trades of a span, or before one; `meta.next_before` asks for older ones."""
    market = parts.catalogue.resolve(query.text("symbol"))
    limit = query.integer("limit", 100, 1, PAGE_MAX)
    before = query.number("before", "the sequence of a trade", 0, SEQUENCE_MAX)
    first, end = query.time_range(None)

    async def read(count: int) -> Sequence[TradeRow]:
        if first is None and end is None:
            return await parts.datafeed.trades(market, count, before)
        span = (first or 0, TIME_MAX if end is None else end)
        upper = SEQUENCE_MAX if before is None else before
        return await parts.pages.trades_between(market, span, upper, count)

    found = await read(limit + 1)
    if len(found) > limit and found[0].sequence == found[limit].sequence:
        found = await read(PAGE_MAX + 1)
        limit = PAGE_MAX
    page = _whole(found, limit)
    more = len(page) < len(found)
    meta: dict[str, Any] = {"symbol": market.symbol, "count": len(page), "has_more": more}
    meta["next_before"] = str(page[-1].sequence) if more else None
    if market.raw_complete_from:
        meta["raw_complete_from"] = market.raw_complete_from
    return {"success": True, "data": trade_rows(page), "meta": meta}


def _whole(found: Sequence[TradeRow], limit: int) -> Sequence[TradeRow]:
    """Return at most `limit` trades, none of which shares its sequence with one that is left out.

    Where the first `limit` all share one, they are returned though more may share it.
    """
    if len(found) <= limit:
        return found
    page = [trade for trade in found[:limit] if trade.sequence != found[limit].sequence]
    return page or found[:limit]


async def marks_body(parts: Parts, query: Params) -> dict[str, Any]:
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
