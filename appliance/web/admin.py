"""Routes for the owner of the process: `POST /api/admin/trades`, used by `appliance import`."""

import asyncio
from dataclasses import asdict
from typing import Final

import sanic
from sanic import Blueprint, HTTPResponse

from appliance.files.wire import decode_submission, source_of
from appliance.web import body as bodies
from appliance.web.answers import answer
from appliance.web.parts import Parts
from appliance.web.security import authorize

BODY_MAX: Final = 256 << 20


def blueprint(parts: Parts) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("admin", url_prefix="/api/admin")

    @routes.post("/trades", stream=True)
    async def post_trades(request: sanic.Request) -> HTTPResponse:
        authorize(request, parts, "admin")
        body = await bodies.read(request, BODY_MAX)
        table, markets = await asyncio.to_thread(decode_submission, body)
        receipt = await parts.ingest.submit(table, markets, source_of(body))
        return answer(request, asdict(receipt), cache="no-store")

    return routes
