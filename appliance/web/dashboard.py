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
from appliance.web.files import content, packed, static_file, unpacks
from appliance.web.market_list import busiest_first, market_body, market_rows
from appliance.web.parts import Parts
from appliance.web.security import policy
from appliance.web.shapes import candle_columns, status_body, trade_rows

FIRST_BARS: Final = 500
FIRST_TRADES: Final = 100
FIRST_MARKETS: Final = 100
"""Rows of the list that the page carries; it reads the others once its candles are on screen."""
DEFAULT_INTERVAL: Final = "1m"
SYMBOL_MAX: Final = 64
"""Longer ones are shown cut: what is asked for is repeated to who asked."""
_HTML: Final = "text/html; charset=utf-8"
_ESCAPES: Final = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})


def blueprint(parts: Parts) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("dashboard")
    templates = environment()

    @routes.get("/")
    async def page(request: sanic.Request) -> HTTPResponse:
        values = await page_values(parts, params.read(request, parts.settings))
        html = templates.get_template("dashboard.html").render(values).encode()
        packs = unpacks(request)
        return _packed(tagged(request, packed(html) if packs else html, _HTML), packs)

    @routes.get("/embed")
    async def embed(request: sanic.Request) -> HTTPResponse:
        values = await embed_values(parts, params.read(request, parts.settings))
        html = templates.get_template("embed.html").render(values).encode()
        packs = unpacks(request)
        response = _packed(tagged(request, packed(html) if packs else html, _HTML), packs)
        response.headers["content-security-policy"] = policy(parts.settings.embed_ancestors)
        return response

    @routes.get("/static/<path:path>")
    async def static(request: sanic.Request, path: str) -> HTTPResponse:
        file = await asyncio.to_thread(static_file, unquote(path))
        if file is None:
            raise NotFound(f"path must be one that is served, was {request.path!r}")
        body, kind, is_packed = await asyncio.to_thread(content, file, pack=unpacks(request))
        return _packed(tagged(request, body, kind), is_packed)

    return routes


def _packed(response: HTTPResponse, is_packed: bool) -> HTTPResponse:
    """Say what the body is, and that it depends on what the caller takes."""
    response.headers["vary"] = "Accept-Encoding"
    if is_packed:
        response.headers["content-encoding"] = "gzip"
    return response


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

    An interval that is not known is replaced. A symbol that is not known is said to be: whoever
    follows a link to one market must not take another for it.
    """
    rows = await _busiest(parts, FIRST_MARKETS)
    asked = query.values.get("symbol", "").strip()
    market = _market(parts, asked, rows)
    own = await market_body(parts, market) if market else None
    length = _interval(query.values.get("interval", ""))
    status = status_body(await parts.status.report())
    bootstrap = {
        "symbol": market and market.symbol,
        "interval": length.name,
        "unknown": asked[:SYMBOL_MAX] if asked and market is None else None,
        "market": own,
        "markets": rows,
        "markets_total": parts.directory.shown,
        **await _first_data(parts, market, length),
        "status": status,
        "intervals": OFFERED,
        "version": __version__,
        "explorer": parts.settings.explorer_url,
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


async def embed_values(parts: Parts, query: params.Params) -> dict[str, Any]:
    """Return the variables of the chart alone; the frame's address says what it shows."""
    asked = query.values.get("symbol", "").strip()
    theme = query.choice("theme", ("system", "dark", "light"))
    market = _market(parts, asked, await _busiest(parts, 1))
    length = _interval(query.values.get("interval", ""))
    bootstrap = {
        "symbol": market and market.symbol,
        "interval": length.name,
        "unknown": asked[:SYMBOL_MAX] if asked and market is None else None,
        "market": await market_body(parts, market) if market else None,
        "markets": [],
        "candles": (await _first_data(parts, market, length))["candles"],
        "trades": [],
        "status": status_body(await parts.status.report()),
        "time": time.time_ns() // 1_000_000,
    }
    return {
        "title": f"{market.symbol} · Charts" if market else "Charts",
        "bootstrap": script_safe(bootstrap),
        "interval": length.name,
        "theme": "" if theme == "system" else theme,
    }


async def _busiest(parts: Parts, count: int) -> list[dict[str, Any]]:
    """Return the rows of the markets with most volume."""
    markets = await parts.directory.page("quote_volume_24h", descending=True, limit=count, offset=0)
    return busiest_first(await market_rows(parts.datafeed, markets))


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


def script_safe(value: object) -> str:
    """Return `value` as JSON that cannot end the script tag it stands in."""
    return msgspec.json.encode(value).decode().translate(_ESCAPES)
