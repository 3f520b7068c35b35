"""`POST /api/admin/demo/reorg?depth=`: let the demo's chain be reorganized, to see what it does."""

from typing import Final

import sanic
from sanic import Blueprint, HTTPResponse

from appliance.errors import Conflict
from appliance.web import params
from appliance.web.answers import answer
from appliance.web.parts import Parts
from appliance.web.security import authorize

DEPTH_DEFAULT: Final = 12
DEPTH_MAX: Final = 3_600
"""Blocks of the demo are seconds: an hour."""


def blueprint(parts: Parts) -> Blueprint:
    """Return the route."""
    routes = Blueprint("demo", url_prefix="/api/admin/demo")

    @routes.post("/reorg")
    async def post_reorg(request: sanic.Request) -> HTTPResponse:
        authorize(request, parts, "admin")
        asked = params.read(request, parts.settings)
        depth = asked.integer("depth", DEPTH_DEFAULT, 1, DEPTH_MAX)
        if parts.demo is None:
            raise Conflict("the demo must run to be reorganized, was off; start with DEMO=on")
        first, last = await parts.demo.reorg(depth)
        body = {"from_block": first, "to_block": last}
        return answer(request, body, cache="no-store")

    return routes
