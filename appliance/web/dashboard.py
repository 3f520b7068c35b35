"""The page that people see, and the files it is made of.

The page carries its first bars, so that candles are on screen before its first request. Its
variables are listed at the top of `templates/dashboard.html`.
"""

import asyncio
import time
from typing import Any, Final
from urllib.parse import unquote

import jinja2
import msgspec
import sanic
from sanic import Blueprint, HTTPResponse

from appliance import __version__, interval, resources
from appliance.errors import BadRequest, NotFound, UnknownSymbol
from appliance.interval import OFFERED, Interval
from appliance.model import Candles, Market
from appliance.web import params
from appliance.web.answers import tagged
from appliance.web.market_list import busiest_first, market_rows
from appliance.web.parts import Parts
from appliance.web.shapes import candle_columns, status_body, trade_rows

FIRST_BARS: Final = 500
FIRST_TRADES: Final = 100
MARKETS_MAX: Final = 1_000
DEFAULT_INTERVAL: Final = "1m"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}
_TEXT: Final = "text/plain; charset=utf-8"
_HTML: Final = "text/html; charset=utf-8"
_ESCAPES: Final = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})


def blueprint(parts: Parts) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("dashboard")
    templates = environment()

    @routes.get("/")
    async def page(request: sanic.Request) -> HTTPResponse:
        values = await page_values(parts, params.read(request, parts.settings))
        html = templates.get_template("dashboard.html").render(values)
        return tagged(request, html.encode(), _HTML)

    @routes.get("/static/<path:path>")
    async def static(request: sanic.Request, path: str) -> HTTPResponse:
        found = await asyncio.to_thread(static_file, unquote(path))
        if found is None:
            raise NotFound(f"path must be one that is served, was {request.path!r}")
        return tagged(request, *found)

    return routes


def environment() -> jinja2.Environment:
    """Return the templates: everything is escaped, and a missing variable is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(resources.folder("templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )


async def page_values(parts: Parts, query: params.Params) -> dict[str, Any]:
    """Return the variables of the page.

    A symbol or interval that is not known is replaced, not refused: links live longer than markets.
    """
    markets = await parts.directory.page(
        "quote_volume_24h", descending=True, limit=MARKETS_MAX, offset=0
    )
    rows = busiest_first(await market_rows(parts.datafeed, markets))
    market = _market(parts, query.values.get("symbol", ""), rows)
    length = _interval(query.values.get("interval", ""))
    status = status_body(await parts.status.report())
    bootstrap = {
        "symbol": market and market.symbol,
        "interval": length.name,
        "markets": rows,
        **await _first_data(parts, market, length),
        "status": status,
        "intervals": OFFERED,
        "version": __version__,
        "time": time.time_ns() // 1_000_000,
    }
    return {
        "title": f"{market.symbol} · Charts" if market else "Charts",
        "bootstrap": script_safe(bootstrap),
        "market": market and {"symbol": market.symbol, "name": market.spec.name or market.symbol},
        "interval": length.name,
        "demo": status["demo"],
        "version": __version__,
    }


async def _first_data(parts: Parts, market: Market | None, length: Interval) -> dict[str, Any]:
    if market is None:
        return {"candles": candle_columns(Candles()), "trades": []}
    now = int(time.time())
    candles, trades = await asyncio.gather(
        parts.datafeed.candles(market, length, None, now + 1, FIRST_BARS, FIRST_BARS),
        parts.datafeed.trades(market, FIRST_TRADES),
    )
    columns = candle_columns(candles.candles, candles.provisional_from)
    return {"candles": columns, "trades": trade_rows(trades)}


def _market(parts: Parts, symbol: str, rows: list[dict[str, Any]]) -> Market | None:
    try:
        return parts.catalogue.resolve(symbol)
    except (UnknownSymbol, BadRequest):
        return parts.catalogue.get(rows[0]["market_id"]) if rows else None


def _interval(text: str) -> Interval:
    try:
        return interval.parse(text or DEFAULT_INTERVAL)
    except BadRequest:
        return interval.parse(DEFAULT_INTERVAL)


def script_safe(value: object) -> str:
    """Return `value` as JSON that cannot end the script tag it stands in."""
    return msgspec.json.encode(value).decode().translate(_ESCAPES)


def static_file(path: str) -> tuple[bytes, str] | None:
    """Return content and type of a file below `static`, None if there is no such file there."""
    root = resources.folder("static").resolve()
    if "\0" in path:
        return None
    file = (root / path).resolve()
    if not file.is_relative_to(root) or not file.is_file() or file.suffix == ".py":
        return None
    return file.read_bytes(), _TYPES.get(file.suffix, _TEXT)
