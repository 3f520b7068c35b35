"""Routes for the owner of the process, under `/api/admin`.

`POST trades` is used by `appliance import`; `POST retract` takes a chain's blocks back by hand.
"""

import asyncio
from dataclasses import asdict
from typing import Annotated, Final

import msgspec
import sanic
from sanic import Blueprint, HTTPResponse

from appliance.errors import BadRequest
from appliance.files.wire import decode_submission, source_of
from appliance.web import body as bodies
from appliance.web.answers import answer
from appliance.web.parts import Parts
from appliance.web.security import authorize

BODY_MAX: Final = 256 << 20
_RETRACTION_MAX: Final = 4 << 10
_Natural = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class Retraction(msgspec.Struct, frozen=True):
    """What to take away: the trades of all markets of a chain, from a block on."""

    chain_id: _Natural
    from_block: _Natural


def blueprint(parts: Parts) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("admin", url_prefix="/api/admin")

    @routes.post("/trades", stream=True)
    async def post_trades(request: sanic.Request) -> HTTPResponse:
        authorize(request, parts, "admin")
        body = await bodies.read(request, BODY_MAX)
        table, markets = await asyncio.to_thread(decode_submission, body)
        receipt = await parts.ingest.submit(table, markets, source_of(body), bulk=True)
        return answer(request, asdict(receipt), cache="no-store")

    @routes.post("/retract", stream=True)
    async def post_retract(request: sanic.Request) -> HTTPResponse:
        authorize(request, parts, "admin")
        wanted = _retraction(await bodies.read(request, _RETRACTION_MAX))
        revisions = await parts.ingest.retract(wanted.chain_id, wanted.from_block)
        changed = [
            {"symbol": parts.catalogue.get(r.market_id).symbol, "from": r.first, "to": r.last}
            for r in revisions
        ]
        return answer(request, {"retracted": changed}, cache="no-store")

    return routes


def _retraction(body: bytes) -> Retraction:
    try:
        return msgspec.json.decode(body, type=Retraction)
    except msgspec.MsgspecError as error:
        form = '{"chain_id":1,"from_block":100}'
        raise BadRequest(f"body must be like {form}, was not: {error}") from None
