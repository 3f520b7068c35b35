"""`/sdk/*`: the modules that put our charts and our data into other people's pages.

The files lie in `static/sdk` and share modules with the dashboard, which they import from `../js`;
seen from `/sdk` those lie in `../static/js`, and what is sent says so. The headers by which pages
of other origins may import them are those of every answer (`security.py`).
"""

import asyncio
from typing import Final
from urllib.parse import unquote

import sanic
from sanic import Blueprint, HTTPResponse

from appliance.errors import NotFound
from appliance.web.answers import tagged
from appliance.web.files import content, static_file

_SHARED: Final = b' from "../'


def blueprint() -> Blueprint:
    """Return the routes."""
    routes = Blueprint("sdk")

    @routes.get("/sdk/<path:path>")
    async def sdk(request: sanic.Request, path: str) -> HTTPResponse:
        found = await asyncio.to_thread(sdk_file, unquote(path))
        if found is None:
            raise NotFound(f"path must be one that is served, was {request.path!r}")
        return tagged(request, *found)

    return routes


def sdk_file(path: str) -> tuple[bytes, str] | None:
    """Return content and type of a file below `static/sdk`, None if there is no such file there."""
    if ".." in path.split("/") or path.startswith("/"):
        return None
    file = static_file(f"sdk/{path}")
    if file is None:
        return None
    body, kind, _ = content(file, pack=False)
    return body.replace(_SHARED, _SHARED + b"static/"), kind
