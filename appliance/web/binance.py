"""Market data in the shape of Binance's REST API: `/api/v3/*`, and what its clients ask beside it.

Their programs work by changing the address. Every market is a spot market to them; there is no
order book, and nothing can be ordered.
"""

import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import sanic
from sanic import Blueprint, HTTPResponse

from appliance.datafeed import TIME_MAX
from appliance.pages import PAGE_MAX, Pages
from appliance.store.reader import Reader
from appliance.web.answers import answer
from appliance.web.binance_errors import bad_combination
from appliance.web.binance_query import LISTED_MAX, Query, read
from appliance.web.binance_shapes import aggregate_rows, kline_rows, made, symbol_rows, trade_rows
from appliance.web.binance_tickers import Tickers
from appliance.web.parts import Parts

LIMIT_DEFAULT: Final = 500
_STATUSES: Final = ("TRADING", "BREAK", "HALT")
Clock = Callable[[], float]
Answer = Callable[[Query], Awaitable[object]]


def blueprint(parts: Parts, reader: Reader, clock: Clock = time.time) -> Blueprint:
    """Return the routes; `reader` is asked for what the datafeed does not answer."""
    routes = Blueprint("binance")
    market_data = MarketData(parts, reader, clock)
    tickers = Tickers(parts, reader, clock)
    for path, give in (market_data.routes() | tickers.routes()).items():
        name = path.strip("/").replace("/", "_")
        routes.add_route(_handler(give, parts), path, name=name)
    return routes


def _handler(
    give: Answer, parts: Parts
) -> Callable[[sanic.Request], Coroutine[Any, Any, HTTPResponse]]:
    async def handle(request: sanic.Request) -> HTTPResponse:
        return answer(request, await give(read(request, parts.settings, parts.catalogue)))

    return handle


class MarketData:
    """What there is, candles and trades."""

    def __init__(self, parts: Parts, reader: Reader, clock: Clock) -> None:
        """Answer from the parts of the appliance."""
        self._parts = parts
        self._datafeed = parts.datafeed
        self._pages = Pages(reader, parts.datafeed)
        self._clock = clock

    def routes(self) -> dict[str, Answer]:
        """Return who answers which path."""
        return {
            "/api/v3/ping": self._nothing,
            "/api/v3/time": self._time,
            "/api/v3/exchangeInfo": self._exchange_info,
            "/api/v3/klines": self._klines,
            "/api/v3/uiKlines": self._klines,
            "/api/v3/trades": self._trades,
            "/api/v3/historicalTrades": self._historical_trades,
            "/api/v3/aggTrades": self._aggregate_trades,
            "/api/v3/depth": self._depth,
            "/fapi/v1/exchangeInfo": self._no_symbols,
            "/dapi/v1/exchangeInfo": self._no_symbols,
            "/sapi/v1/system/status": self._status,
        }

    async def _nothing(self, _: Query) -> object:
        return {}

    async def _no_symbols(self, _: Query) -> object:
        return {"symbols": []}

    async def _time(self, _: Query) -> object:
        return {"serverTime": self._now_ms()}

    async def _status(self, _: Query) -> object:
        report = await self._parts.status.report()
        if report.ready:
            return {"status": 0, "msg": "normal"}
        return {"status": 1, "msg": "system_maintenance"}

    async def _exchange_info(self, query: Query) -> object:
        markets = query.markets_or_all(LISTED_MAX)
        summaries = await self._datafeed.summaries(markets)
        rows = await made(lambda some: symbol_rows(some, summaries, query.catalogue), markets)
        if query.values.get("symbolStatus"):
            status = query.choice("symbolStatus", _STATUSES)
            rows = [row for row in rows if row["status"] == status]
        return {
            "timezone": "UTC",
            "serverTime": self._now_ms(),
            "rateLimits": [],
            "exchangeFilters": [],
            "symbols": rows,
        }

    async def _klines(self, query: Query) -> object:
        """Answer candles that start in [startTime, endTime], both in it."""
        market, interval = query.market(), query.interval()
        limit = query.limit(LIMIT_DEFAULT, PAGE_MAX)
        start_ms, end_ms = query.number("startTime"), query.number("endTime")
        to_time = int(self._clock()) + 1
        if end_ms is not None:
            to_time = min(to_time, end_ms // 1000 + 1)
        if start_ms is None:
            newest = await self._datafeed.candles(market, interval, None, to_time, limit, limit)
            return kline_rows(newest.candles, interval)
        from_time = min(-(-start_ms // 1000), TIME_MAX)
        page = await self._pages.candles(market, interval, from_time, to_time, limit)
        return kline_rows(page, interval)

    async def _trades(self, query: Query) -> object:
        market, limit = query.market(), query.limit(LIMIT_DEFAULT, PAGE_MAX)
        return trade_rows(await self._pages.trades_until(market, _us(TIME_MAX * 1000), limit))

    async def _historical_trades(self, query: Query) -> object:
        sequence = query.number("fromId")
        if sequence is None:
            return await self._trades(query)
        market, limit = query.market(), query.limit(LIMIT_DEFAULT, PAGE_MAX)
        everything = 0, _us(TIME_MAX * 1000)
        return trade_rows(await self._pages.trades_from(market, *everything, sequence, limit))

    async def _aggregate_trades(self, query: Query) -> object:
        """Answer trades in [startTime, endTime], both in it, or from `fromId` on."""
        market, limit = query.market(), query.limit(LIMIT_DEFAULT, PAGE_MAX)
        sequence = query.number("fromId")
        start_ms, end_ms = query.number("startTime"), query.number("endTime")
        if sequence is not None and (start_ms is not None or end_ms is not None):
            raise bad_combination("Send fromId, or startTime and endTime.")
        end_us = _us(TIME_MAX * 1000 if end_ms is None else end_ms + 1)
        if sequence is not None:
            rows = await self._pages.trades_from(market, 0, end_us, sequence, limit)
        elif start_ms is not None:
            rows = await self._pages.trades_from(market, _us(start_ms), end_us, 0, limit)
        else:
            rows = await self._pages.trades_until(market, end_us, limit)
        return aggregate_rows(rows)

    async def _depth(self, query: Query) -> object:
        query.market()
        return {"lastUpdateId": 0, "bids": [], "asks": []}

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


def _us(time_ms: int) -> int:
    return min(time_ms, TIME_MAX * 1000) * 1000
