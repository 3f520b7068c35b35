"""What a page carries, so that candles are on screen before its first request.

A store that fails must not keep the page away: then it carries why, and asks again itself.
"""

import asyncio
import time
from typing import Any, Final

from appliance import __version__, interval
from appliance.errors import BadRequest, Retryable, UnknownSymbol
from appliance.interval import OFFERED, Interval
from appliance.model import Candles, Market
from appliance.status import StatusReport
from appliance.web.market_list import busiest_first, market_body, market_rows
from appliance.web.params import Params
from appliance.web.parts import Parts
from appliance.web.shapes import candle_columns, status_body, trade_rows

FIRST_BARS: Final = 500
FIRST_TRADES: Final = 100
FIRST_MARKETS: Final = 100
"""Rows of the list that the page carries; it reads the others once its candles are on screen."""
DEFAULT_INTERVAL: Final = "1m"
FAVOURITES: Final = ("1s", "1m", "5m", "15m", "1h", "4h", "1d")
"""Intervals with a button of their own; static/js/intervals.js has the same."""
SYMBOL_MAX: Final = 64
"""Longer ones are shown cut: what is asked for is repeated to who asked."""
Picture = dict[str, Any]


async def first_picture(parts: Parts, query: Params, markets: int, trades: int) -> Picture:
    """Return what is shown of the market that is asked for, or of the busiest one.

    `markets` and `trades` say how many of each come along. An interval that is not known is
    replaced. A symbol that is not known is said to be: whoever follows a link to one market must
    not take another for it.
    """
    asked = query.values.get("symbol", "").strip()[:SYMBOL_MAX]
    length = _interval(query.values.get("interval", ""))
    report = await parts.status.report()
    about: Picture = {
        "interval": length.name,
        "asked": asked,
        "markets_total": parts.directory.shown,
        "status": status_body(report),
        "banner": _banner(report),
        "favourites": FAVOURITES,
        "intervals": OFFERED,
        "version": __version__,
        "explorer": parts.settings.explorer_url,
        "history_max_bars": parts.settings.history_max_bars,
        "time": time.time_ns() // 1_000_000,
    }
    try:
        return about | await _shown(parts, asked, length, markets, trades)
    except Retryable as error:
        return about | _NOTHING | {"failure": f"{error} ({error.status})."}


async def _shown(parts: Parts, asked: str, length: Interval, markets: int, trades: int) -> Picture:
    rows = await _busiest(parts, max(1, markets))
    market = _market(parts, asked, rows)
    if market is None:
        return _NOTHING | {"unknown": asked or None, "markets": rows[:markets]}
    own, candles, newest = await asyncio.gather(
        market_body(parts, market), _candles(parts, market, length), _trades(parts, market, trades)
    )
    shown = {"symbol": market.symbol, "market": own, "candles": candles, "trades": newest}
    return _NOTHING | shown | {"markets": rows[:markets]}


_NOTHING: Final[Picture] = {
    "symbol": None,
    "market": None,
    "unknown": None,
    "failure": None,
    "markets": [],
    "candles": candle_columns(Candles()),
    "trades": [],
}


def _banner(report: StatusReport) -> str:
    """Return which banner the page will have: its place is kept, so that nothing moves later."""
    states = {part.state for part in report.parts}
    if states & {"seeding", "syncing"}:
        return "syncing"
    if states & {"failing", "stopped"}:
        return "stale"
    return "demo" if report.demo else ""


async def _busiest(parts: Parts, count: int) -> list[dict[str, Any]]:
    markets = await parts.directory.page("quote_volume_24h", descending=True, limit=count, offset=0)
    return busiest_first(await market_rows(parts.datafeed, markets))


async def _candles(parts: Parts, market: Market, length: Interval) -> dict[str, Any]:
    now = int(time.time())
    found = await parts.datafeed.candles(market, length, None, now + 1, FIRST_BARS, FIRST_BARS)
    return candle_columns(found.candles, found.provisional_from)


async def _trades(parts: Parts, market: Market, count: int) -> list[dict[str, Any]]:
    return trade_rows(await parts.datafeed.trades(market, count)) if count else []


def _market(parts: Parts, symbol: str, rows: list[dict[str, Any]]) -> Market | None:
    """Return the market that is asked for, without a question the busiest one."""
    if not symbol:
        return parts.catalogue.get(rows[0]["market_id"]) if rows else None
    try:
        return parts.catalogue.resolve(symbol)
    except (UnknownSymbol, BadRequest):
        return None


def _interval(text: str) -> Interval:
    try:
        return interval.parse(text or DEFAULT_INTERVAL)
    except BadRequest:
        return interval.parse(DEFAULT_INTERVAL)
