"""`/sdk/*`: the modules that put our charts and our data into other people's pages.

The files lie in `static/sdk` and share modules with the dashboard, which they import from `../js`;
seen from `/sdk` those lie in `../static/js`, and what is sent says so. The headers by which pages
of other origins may import them are those of every answer (`security.py`).
"""

import asyncio
import re
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import sanic
from sanic import Blueprint, HTTPResponse

from appliance.errors import NotFound
from appliance.web.answers import tagged
from appliance.web.files import (
    content,
    packed,
    static_file,
    unpacks,
    with_encoding,
    without_comments,
)

_SHARED: Final = re.compile(rb'(?<=(?:from|port) ")\.\./')
_KEPT: Final = 64


def blueprint() -> Blueprint:
    """Return the routes."""
    routes = Blueprint("sdk")

    @routes.get("/sdk/<path:path>")
    async def sdk(request: sanic.Request, path: str) -> HTTPResponse:
        file = await asyncio.to_thread(sdk_file, unquote(path))
        if file is None:
            raise NotFound(f"path must be one that is served, was {request.path!r}")
        packs = unpacks(request) and file.suffix == ".js"
        version = file, file.stat().st_mtime_ns
        body, kind = await asyncio.to_thread(_body, *version, pack=packs)
        return with_encoding(tagged(request, body, kind), packs)

    return routes


def sdk_file(path: str) -> Path | None:
    """Return the file below `static/sdk` that `path` names, None if there is no such file there."""
    if ".." in path.split("/") or path.startswith("/"):
        return None
    return static_file(f"sdk/{path}")


@lru_cache(_KEPT)
def _body(file: Path, changed_ns: int, *, pack: bool) -> tuple[bytes, str]:
    """Return content and type of a file as it was at `changed_ns`."""
    plain, kind, _ = content(file, pack=False)
    body = _SHARED.sub(b"../static/", plain)
    return (packed(without_comments(body)) if pack else body), kind
