"""Tickers in the shape of Binance's: 24 hours, windows of any length, prices.

The 24 hours are the datafeed's, the same as on every other interface.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from appliance.model import Market
from appliance.statistics.span import DAY_MINUTES
from appliance.statistics.windows import Window, Windows
from appliance.store.reader import Reader
from appliance.streaming.events import number_text
from appliance.web.binance_errors import BAD_TICKER_TYPE, Refused, bad_value, missing
from appliance.web.binance_query import LISTED_MAX, Query
from appliance.web.binance_shapes import (
    EMPTY_BOOK,
    Row,
    made,
    ticker_row,
)
from appliance.web.parts import Parts

WINDOW_SYMBOLS_MAX: Final = 100
AVERAGE_MINUTES: Final = 5
_TYPES: Final = ("FULL", "MINI")
_SIZE: Final = re.compile(r"([1-9][0-9]?)([mhd])")
_MOST: Final = {"m": 59, "h": 23, "d": 7}
_MINUTES: Final = {"m": 1, "h": 60, "d": DAY_MINUTES}


class Tickers:
    """What was traded lately, and the last prices."""

    def __init__(self, parts: Parts, reader: Reader, clock: Callable[[], float]) -> None:
        """Answer from the parts of the appliance; windows are read from the store."""
        self._catalogue = parts.catalogue
        self._datafeed = parts.datafeed
        self._windows = Windows(parts.datafeed.summaries, reader, clock)

    def routes(self) -> dict[str, Callable[[Query], Awaitable[object]]]:
        """Return who answers which path."""
        return {
            "/api/v3/ticker": self._window,
            "/api/v3/ticker/24hr": self._day,
            "/api/v3/ticker/price": self._price,
            "/api/v3/ticker/bookTicker": self._book,
            "/api/v3/avgPrice": self._average,
        }

    async def _day(self, query: Query) -> object:
        full, markets = _is_full(query), query.markets_or_all(LISTED_MAX)
        days = await self._windows.day(markets)
        rows = await self._rows(_priced(query, markets, days), days, DAY_MINUTES, full)
        return _one_or_all(query, [row | EMPTY_BOOK for row in rows] if full else rows)

    async def _window(self, query: Query) -> object:
        full, minutes = _is_full(query), _minutes(query)
        markets = query.markets(WINDOW_SYMBOLS_MAX)
        if markets is None:
            raise missing("symbol")
        found = await self._windows.rolling(markets, minutes)
        return _one_or_all(query, await self._rows(markets, found, minutes, full))

    async def _rows(
        self, markets: Sequence[Market], found: dict[int, Window], minutes: int, full: bool
    ) -> list[Row]:
        span_ms = self._windows.span_ms(minutes)

        def rows(some: Sequence[Market]) -> list[Row]:
            windows = ((market, found.get(market.id, Window())) for market in some)
            return [
                ticker_row(self._catalogue.plain_name(market), window, span_ms, full)
                for market, window in windows
            ]

        return await made(rows, markets)

    async def _price(self, query: Query) -> object:
        markets = query.markets_or_all(LISTED_MAX)
        summaries = await self._datafeed.summaries(markets)
        prices = {
            market_id: {"price": number_text(summary.price)}
            for market_id, summary in summaries.items()
        }
        rows = [
            {"symbol": self._catalogue.plain_name(market), **prices.get(market.id, {})}
            for market in _priced(query, markets, summaries)
        ]
        return _one_or_all(query, rows)

    async def _book(self, query: Query) -> object:
        markets = query.markets_or_all(LISTED_MAX)
        return _one_or_all(
            query, [{"symbol": self._catalogue.plain_name(m), **EMPTY_BOOK} for m in markets]
        )

    async def _average(self, query: Query) -> object:
        """Answer the mean price of the last minutes, or the last price if nothing was traded."""
        market = query.market()
        found = (await self._windows.rolling([market], AVERAGE_MINUTES)).get(market.id, Window())
        price = found.average or found.close
        last = await self._datafeed.trades(market, 1)
        body: Row = {"mins": AVERAGE_MINUTES}
        if price is not None:
            body["price"] = number_text(price)
        return body | ({"closeTime": last[0].time_us // 1000} if last else {})


def _priced(query: Query, markets: list[Market], known: Mapping[int, object]) -> list[Market]:
    """Return the markets to list: of those that were not asked by name, the ones with a price."""
    return markets if query.names_some else [market for market in markets if market.id in known]


def _one_or_all(query: Query, rows: list[Row]) -> object:
    return rows[0] if query.names_one else rows


def _is_full(query: Query) -> bool:
    kind = query.values.get("type") or "FULL"
    if kind not in _TYPES:
        raise Refused(
            BAD_TICKER_TYPE, f"Invalid ticker type. type must be FULL or MINI, was {kind!r}", "type"
        )
    return kind == "FULL"


def _minutes(query: Query) -> int:
    text = query.values.get("windowSize") or "1d"
    match = _SIZE.fullmatch(text)
    if match is None or int(match[1]) > _MOST[match[2]]:
        raise bad_value("windowSize", "1m to 59m, 1h to 23h or 1d to 7d", repr(text))
    return int(match[1]) * _MINUTES[match[2]]
