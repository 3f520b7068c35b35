"""Open interest and funding over time: `/api/lightweight/open-interest` and `/funding`."""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import sanic
from sanic import Blueprint, HTTPResponse

from appliance.interval import Interval
from appliance.model import Market
from appliance.positions import Point
from appliance.web import params
from appliance.web.answers import answer
from appliance.web.parts import Parts

LIMIT: Final = 500
LIMIT_MAX: Final = 10_000
History = Callable[[Market, Interval, int, int, int], Awaitable[list[Point]]]


def blueprint(parts: Parts) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("positions", url_prefix="/api/lightweight")

    @routes.get("/open-interest")
    async def open_interest(request: sanic.Request) -> HTTPResponse:
        return answer(request, await _body(parts, request, parts.positions.history))

    @routes.get("/funding")
    async def funding(request: sanic.Request) -> HTTPResponse:
        return answer(request, await _body(parts, request, parts.positions.funding))

    return routes


async def _body(parts: Parts, request: sanic.Request, read: History) -> dict[str, Any]:
    query = params.read(request, parts.settings)
    market = parts.catalogue.resolve(query.text("symbol"))
    step = query.interval("timeframe", "1h")
    limit = query.integer("limit", LIMIT, 1, LIMIT_MAX)
    from_time, to_time = query.time_range(int(time.time()))
    points = await read(market, step, from_time or 0, to_time, limit)
    meta = {"symbol": market.symbol, "timeframe": step.name, "count": len(points)}
    rows = [{"time": start, "value": value} for start, value in points]
    return {"success": True, "data": rows, "meta": meta}
