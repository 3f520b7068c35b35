"""What a widget's watch list and symbol list ask: `/quotes` and `/symbol_info` of the datafeed.

There is no order book. A quote's bid and ask are the last price, at which a pool or a virtual
market maker starts to fill an order, and their spread is 0.
"""

from collections.abc import Sequence
from typing import Any, Final

import sanic
from sanic import Blueprint, HTTPResponse

from appliance.errors import BadRequest, UnknownSymbol
from appliance.model import Market
from appliance.settings import Settings
from appliance.statistics.summaries import Summary
from appliance.store.catalogue import Catalogue
from appliance.web import params
from appliance.web.answers import answer
from appliance.web.parts import Parts
from appliance.web.udf import symbol_body

QUOTES_MAX: Final = 100
LISTED_MAX: Final = 100
_COLUMNS: Final = {
    "symbol": "name",
    "ticker": "ticker",
    "description": "description",
    "exchange-listed": "exchange-listed",
    "exchange-traded": "exchange-traded",
    "pricescale": "pricescale",
    "currency-code": "currency_code",
}
"""Columns of /symbol_info with a value for each market, and their names in /symbols."""
_SHARED: Final = {
    "type": "type",
    "minmovement": "minmov",
    "minmove2": "minmove2",
    "timezone": "timezone",
    "session-regular": "session",
    "has-intraday": "has_intraday",
    "intraday-multipliers": "intraday_multipliers",
    "has-seconds": "has_seconds",
    "seconds-multipliers": "seconds_multipliers",
    "has-daily": "has_daily",
    "has-weekly-and-monthly": "has_weekly_and_monthly",
    "has-empty-bars": "has_empty_bars",
    "visible-plots-set": "visible_plots_set",
    "volume-precision": "volume_precision",
    "supported-resolutions": "supported_resolutions",
}
"""Values that all markets have; sent once, as the column form allows."""


def blueprint(parts: Parts) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("quotes", url_prefix="/api/tradingview")
    settings, catalogue, datafeed = parts.settings, parts.catalogue, parts.datafeed

    @routes.get("/quotes")
    async def quotes(request: sanic.Request) -> HTTPResponse:
        asked = params.read(request, settings).listed("symbols", QUOTES_MAX)
        markets = [_known(catalogue, symbol) for symbol in asked]
        summaries = await datafeed.summaries([market for market in markets if market])
        found = [(market, summaries.get(market.id) if market else None) for market in markets]
        rows = [quote(name, *pair) for name, pair in zip(asked, found, strict=True)]
        return answer(request, {"s": "ok", "d": rows})

    @routes.get("/symbol_info")
    async def symbol_info(request: sanic.Request) -> HTTPResponse:
        group = params.read(request, settings).text("group", "")
        markets = _group(catalogue, group)
        summaries = await datafeed.summaries(markets)
        return answer(request, symbol_info_body(markets, summaries, settings))

    return routes


def _known(catalogue: Catalogue, symbol: str) -> Market | None:
    """Return the market of a quote; what names none, or several, is an error of that quote."""
    try:
        return catalogue.resolve(symbol)
    except (UnknownSymbol, BadRequest):
        return None


def _group(catalogue: Catalogue, group: str) -> list[Market]:
    """Return the listed markets of an exchange, all without one, if they are few."""
    exchanges = {name.upper(): name for name in catalogue.exchanges}
    if group and group.upper() not in exchanges:
        known = ", ".join(catalogue.exchanges) or "absent: there are no markets"
        raise BadRequest(f"group must be an exchange, {known}; was {group!r}", "group")
    wanted = [exchanges[group.upper()]] if group else list(exchanges.values())
    count = sum(catalogue.listed_on(exchange) for exchange in wanted)
    if count > LISTED_MAX:
        raise BadRequest(
            f"group must have at most {LISTED_MAX} markets, has {count:,}: ask /search, /symbols",
            "group",
        )
    return [market for market in catalogue.visible() if market.spec.exchange in wanted]


def quote(name: str, market: Market | None, summary: Summary | None) -> dict[str, Any]:
    """Return one quote under the name it was asked by; numbers that are not known are absent."""
    if market is None:
        return {"s": "error", "n": name, "v": {}}
    values = {
        "short_name": market.symbol,
        "exchange": market.spec.exchange,
        "description": market.spec.name or market.symbol,
    }
    return {"s": "ok", "n": name, "v": values | (_numbers(summary) if summary else {})}


def _numbers(summary: Summary) -> dict[str, float]:
    numbers = {
        "lp": summary.price,
        "ch": summary.price_change,
        "chp": summary.price_change_percent,
        "bid": summary.price,
        "ask": summary.price,
        "spread": 0.0,
        "open_price": summary.open,
        "high_price": summary.high,
        "low_price": summary.low,
        "prev_close_price": summary.price if summary.open is None else summary.open,
        "volume": summary.volume,
    }
    return {name: value for name, value in numbers.items() if value is not None}


def symbol_info_body(
    markets: Sequence[Market], summaries: dict[int, Summary], settings: Settings
) -> dict[str, Any]:
    """Return everything that charts must know of the markets, a list for each property."""
    bodies = []
    for market in markets:
        summary = summaries.get(market.id)
        bodies.append(symbol_body(market, summary.price if summary else None, settings))
    columns = {column: [body.get(name, "") for body in bodies] for column, name in _COLUMNS.items()}
    shared = {column: bodies[0][name] for column, name in _SHARED.items()} if bodies else {}
    return {"s": "ok"} | columns | shared
