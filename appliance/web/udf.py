"""The Universal Data Feed of TradingView widgets: `/api/tradingview/*`.

*Resolution* is this dialect's word for an interval: minutes as a bare number, else with S D W M.
"""

import re
import time
from functools import lru_cache
from math import floor, log10
from typing import Any, Final, NamedTuple

import sanic
from sanic import Blueprint, HTTPResponse

from appliance import interval
from appliance.errors import BadRequest
from appliance.interval import Interval
from appliance.model import Candles, Market
from appliance.settings import Settings
from appliance.web import params
from appliance.web.answers import REVALIDATE, SETTLED, answer
from appliance.web.history import bars
from appliance.web.marks import Bars, by_bar, timescale_marks, udf_marks
from appliance.web.parts import Parts

SIGNIFICANT_DIGITS: Final = 5
"""Fewest digits of a price that a chart shows."""
DOUBLE_DIGITS: Final = 15
"""Digits that a double holds for certain; more would show noise."""
DECIMALS_MAX: Final = 22  # 10^22 is the last power of ten that a double holds exactly
FEWEST_DECIMALS: Final = 2
SEARCH_MAX: Final = 1_000
HUGE: Final = 10**18
"""The adapter's own paging sends countbacks of any size and sign; they are capped, not refused."""
TYPE: Final = "crypto"
_RESOLUTION: Final = re.compile(r"([0-9]{0,6})([SDWM]?)")
_UNITS: Final = {"S": "s", "": "m", "D": "d", "W": "w", "M": "M"}
_FIXED: Final[dict[str, Any]] = {
    "type": TYPE,
    "session": "24x7",
    "timezone": "Etc/UTC",
    "format": "price",
    "minmov": 1,
    "minmove2": 0,
    "has_intraday": True,
    "intraday_multipliers": ["1", "5", "15", "60", "240"],
    "has_seconds": True,
    "seconds_multipliers": ["1"],
    "has_daily": True,
    "daily_multipliers": ["1"],
    "has_weekly_and_monthly": True,
    "weekly_multipliers": ["1"],
    "monthly_multipliers": ["1"],
    "has_empty_bars": False,
    "visible_plots_set": "ohlcv",
    "volume_precision": 8,
    "data_status": "streaming",
}


class Asked(NamedTuple):
    """A request for history, as it is written; times are unix seconds, `to_time` is excluded."""

    symbol: str
    resolution: str
    from_time: int | None
    to_time: int
    countback: int


def blueprint(parts: Parts) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("udf", url_prefix="/api/tradingview")
    settings, catalogue, datafeed = parts.settings, parts.catalogue, parts.datafeed

    @routes.get("/config")
    async def config(request: sanic.Request) -> HTTPResponse:
        return answer(request, config_body(catalogue.exchanges, settings))

    @routes.get("/symbols")
    async def symbols(request: sanic.Request) -> HTTPResponse:
        market = catalogue.resolve(params.read(request, settings).text("symbol"))
        summary = (await datafeed.summaries([market])).get(market.id)
        price = None if summary is None else summary.price
        return answer(request, symbol_body(market, price, settings))

    @routes.get("/search")
    async def search(request: sanic.Request) -> HTTPResponse:
        query = params.read(request, settings)
        limit = query.integer("limit", 30, 1, SEARCH_MAX)
        of_type = query.text("type", TYPE) == TYPE
        asked = query.text("query", ""), query.text("exchange", "")
        found = await parts.directory.search(*asked, limit)
        return answer(request, [search_row(market) for market in found if of_type])

    @routes.get("/history")
    async def history(request: sanic.Request) -> HTTPResponse:
        question = question_of(history_asked(request, settings), parts)
        ready = datafeed.ready(*question)
        if ready is not None:
            return await bars(request, *ready)
        found = await datafeed.candles(*question)
        if found.pieces:
            return await bars(request, found.pieces, found.is_settled)
        cache = SETTLED if found.is_settled else REVALIDATE
        return answer(request, history_body(found.candles, found.older), cache=cache)

    @routes.get("/marks")
    async def marks(request: sanic.Request) -> HTTPResponse:
        return answer(request, udf_marks(*await marked_bars(parts, request)))

    @routes.get("/timescale_marks")
    async def on_time_scale(request: sanic.Request) -> HTTPResponse:
        return answer(request, timescale_marks(*await marked_bars(parts, request)))

    @routes.get("/time")
    async def now(_: sanic.Request) -> HTTPResponse:
        headers = {"cache-control": REVALIDATE}
        return HTTPResponse(str(int(time.time())), 200, headers, "text/plain; charset=utf-8")

    return routes


def history_asked(request: sanic.Request, settings: Settings) -> Asked:
    """Return what a request for history asks for."""
    query = params.read(request, settings)
    symbol, resolution = query.text("symbol"), query.text("resolution")
    start, to_time = query.time_range(int(time.time()))
    count = query.number("countback", "a whole number", -HUGE, HUGE) or 0
    return Asked(symbol, resolution, start, to_time, count)


def question_of(asked: Asked, parts: Parts) -> tuple[Market, Interval, int | None, int, int, int]:
    """Return what to ask the datafeed for: market, interval, from, to, countback and limit.

    Raises:
        UnknownSymbol: no market answers to the symbol.
        BadRequest: the resolution is none, or the symbol names several markets.
    """
    market, length = parts.catalogue.resolve(asked.symbol), interval_of(asked.resolution)
    most = parts.settings.history_max_bars
    is_bounded = asked.from_time is not None or asked.countback > 0
    count = max(0, min(asked.countback, most)) if is_bounded else most
    return market, length, asked.from_time, asked.to_time, count, most


async def marked_bars(parts: Parts, request: sanic.Request) -> tuple[Bars, Market]:
    """Return the asked bars with their marks; `to` is the last bar in sight, and is meant too."""
    query = params.read(request, parts.settings)
    market = parts.catalogue.resolve(query.text("symbol"))
    length = interval_of(query.text("resolution"))
    for name in ("from", "to"):
        query.text(name)  # it must be given
    from_time, to_time = query.time_range(0)
    span = from_time or 0, to_time + 1
    datafeed, most = parts.datafeed, parts.settings.history_max_bars
    starts = (await datafeed.candles(market, length, *span, 0, most)).candles.time
    if not starts:
        return {}, market
    end = max(length.shift(starts[-1], 1), span[1])
    found = await datafeed.marks(market, starts[0], end, interval=length)
    return by_bar(found, starts), market


@lru_cache(256)
def interval_of(resolution: str) -> Interval:
    """Return the interval that a resolution names; `D`, `W` and `M` mean `1D`, `1W` and `1M`."""
    match = _RESOLUTION.fullmatch(resolution)
    if match is None or resolution == "" or (match[1] and int(match[1]) == 0):
        raise BadRequest(
            f"resolution must be minutes like 5 or 60, or like 1S 1D 1W 1M, was {resolution!r}",
            "resolution",
        )
    count, unit = int(match[1] or 1), _UNITS[match[2]]
    if unit == "m" and count % 60 == 0:
        count, unit = count // 60, "h"
    return interval.parse(f"{count}{unit}", "resolution")


def config_body(exchanges: list[str], settings: Settings) -> dict[str, Any]:
    """Return what the feed can do."""
    every = {"value": "", "name": "All exchanges", "desc": ""}
    return {
        "supports_search": True,
        "supports_group_request": False,
        "supports_marks": True,
        "supports_timescale_marks": True,
        "supports_time": True,
        "supported_resolutions": settings.supported_resolutions,
        "exchanges": [every, *({"value": e, "name": e, "desc": e} for e in exchanges)],
        "symbols_types": [{"name": "All types", "value": ""}, {"name": "Crypto", "value": TYPE}],
    }


def symbol_body(market: Market, price: float | None, settings: Settings) -> dict[str, Any]:
    """Return everything a chart must know of a market."""
    spec = market.spec
    body = {
        "name": market.symbol,
        "ticker": market.symbol,
        "full_name": f"{spec.exchange}:{market.symbol}",
        "description": spec.name or market.symbol,
        "exchange": spec.exchange,
        "listed_exchange": spec.exchange,
        "exchange_listed_name": spec.exchange,
        "exchange-listed": spec.exchange,
        "exchange-traded": spec.exchange,
        "pricescale": 10 ** decimals_shown(spec.price_decimals or 0, price),
        "supported_resolutions": settings.supported_resolutions,
    }
    return body | _FIXED | ({"currency_code": spec.quote} if spec.quote else {})


def decimals_shown(known: int, price: float | None) -> int:
    """Return how many digits after the point to show: enough for 5 significant ones.

    Never more than a double holds at this price.
    """
    if price is None or price <= 0:
        return max(known, FEWEST_DECIMALS)
    before_point = floor(log10(price)) + 1  # negative for the zeros after the point
    fewest = max(known, FEWEST_DECIMALS, SIGNIFICANT_DIGITS - before_point)
    return max(0, min(fewest, DOUBLE_DIGITS - before_point, DECIMALS_MAX))


def search_row(market: Market) -> dict[str, str]:
    """Return one line of the widget's symbol search."""
    return {
        "symbol": market.symbol,
        "full_name": f"{market.spec.exchange}:{market.symbol}",
        "description": market.spec.name or market.symbol,
        "exchange": market.spec.exchange,
        "ticker": market.symbol,
        "type": TYPE,
    }


def history_body(candles: Candles, older: int | None) -> dict[str, Any]:
    """Return bars as columns, or where the next older one is; `ok` is never empty."""
    if len(candles) == 0:
        return {"s": "no_data"} | ({} if older is None else {"nextTime": older})
    return {
        "s": "ok",
        "t": candles.time,
        "o": candles.open,
        "h": candles.high,
        "l": candles.low,
        "c": candles.close,
        "v": candles.volume,
    }
