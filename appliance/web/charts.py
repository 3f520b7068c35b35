"""The routes of the original design, `/api/charts/*`: those of lightweight under former names.

`timeframe`, `limit` and `symbol` mean what they mean there. `startTime` and `endTime` are both
inclusive, in seconds or milliseconds, which is told by their size.
"""

from typing import Final

import sanic
from sanic import Blueprint, HTTPResponse

from appliance.errors import BadRequest
from appliance.web import params
from appliance.web.answers import answer
from appliance.web.lightweight import candles_body, markets_body
from appliance.web.params import LONG_AGO, TIME_LIMIT, Params
from appliance.web.parts import Parts

_MILLI: Final = 1_000
_WHAT: Final = "unix seconds or milliseconds"


def blueprint(parts: Parts) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("charts", url_prefix="/api/charts")

    @routes.get("/ohlcv")
    async def ohlcv(request: sanic.Request) -> HTTPResponse:
        query = translated(params.read(request, parts.settings))
        return answer(request, await candles_body(parts, query))

    @routes.get("/markets")
    async def markets(request: sanic.Request) -> HTTPResponse:
        return answer(request, await markets_body(parts, params.read(request, parts.settings)))

    @routes.get("/health")
    async def health(request: sanic.Request) -> HTTPResponse:
        return answer(request, {"status": "alive"}, cache="no-store")

    return routes


def translated(query: Params) -> Params:
    """Return the parameters as lightweight names them.

    Raises:
        BadRequest: a time is none, or `startTime` is after `endTime`.
    """
    start, end = _seconds(query, "startTime", up=True), _seconds(query, "endTime", up=False)
    if start is not None and end is not None and start > end + 1:
        values = query.values
        raise BadRequest(
            f"startTime must be at most endTime, was {values['startTime']} with endTime "
            f"{values['endTime']}",
            "startTime",
        )
    values = {k: v for k, v in query.values.items() if k not in ("from", "to")}
    if start is not None:
        values["from"] = str(start)
    if end is not None:
        values["to"] = str(end + 1)
    return Params(values)


def _seconds(query: Params, name: str, *, up: bool) -> int | None:
    time = query.number(name, _WHAT, -LONG_AGO, TIME_LIMIT * _MILLI)
    if time is None or abs(time) < TIME_LIMIT:
        return time
    return -(-time // _MILLI) if up else time // _MILLI
