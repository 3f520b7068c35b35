"""The page that people see, the chart alone for frames in other pages, and the files of both.

The pages carry their first bars (first_picture.py). Their variables are listed at the top of
`templates/dashboard.html` and `templates/embed.html`.
"""

import asyncio
from typing import Any, Final
from urllib.parse import unquote

import jinja2
import msgspec
import sanic
from sanic import Blueprint, HTTPResponse

from appliance import resources
from appliance.errors import NotFound
from appliance.web import params
from appliance.web.answers import tagged
from appliance.web.files import (
    CSS,
    SHEETS,
    content,
    packed,
    sheets,
    static_file,
    unpacks,
    with_encoding,
)
from appliance.web.first_picture import FIRST_MARKETS, FIRST_TRADES, Picture, first_picture
from appliance.web.parts import Parts
from appliance.web.security import policy

_HTML: Final = "text/html; charset=utf-8"
_ESCAPES: Final = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})
THEMES: Final = ("system", "dark", "light")


def blueprint(parts: Parts) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("dashboard")
    templates = environment()

    def rendered(request: sanic.Request, name: str, values: dict[str, Any]) -> HTTPResponse:
        html = templates.get_template(name).render(values).encode()
        packs = unpacks(request)
        status = 503 if values["picture"]["failure"] else 200
        answer = tagged(request, packed(html) if packs else html, _HTML, status=status)
        return with_encoding(answer, packs)

    @routes.get("/")
    async def page(request: sanic.Request) -> HTTPResponse:
        query = params.read(request, parts.settings)
        picture = await first_picture(parts, query, FIRST_MARKETS, FIRST_TRADES)
        return rendered(request, "dashboard.html", page_values(picture))

    @routes.get("/embed")
    async def embed(request: sanic.Request) -> HTTPResponse:
        query = params.read(request, parts.settings)
        theme = query.choice("theme", THEMES)
        picture = await first_picture(parts, query, 0, 0)
        values = page_values(picture) | {"theme": "" if theme == "system" else theme}
        response = rendered(request, "embed.html", values)
        response.headers["content-security-policy"] = policy(parts.settings.embed_ancestors)
        return response

    @routes.get("/static/<path:path>")
    async def static(request: sanic.Request, path: str) -> HTTPResponse:
        if path in SHEETS:
            packs = unpacks(request)
            body = await asyncio.to_thread(sheets, path, pack=packs)
            return with_encoding(tagged(request, body, CSS), packs)
        file = await asyncio.to_thread(static_file, unquote(path))
        if file is None:
            raise NotFound(f"path must be one that is served, was {request.path!r}")
        body, kind, is_packed = await asyncio.to_thread(content, file, pack=unpacks(request))
        return with_encoding(tagged(request, body, kind), is_packed)

    return routes


def page_values(picture: Picture) -> dict[str, Any]:
    """Return the variables of a page that shows `picture`."""
    symbol = picture["symbol"]
    return {
        "title": f"{symbol} · Charts" if symbol else "Charts",
        "picture": picture,
        "bootstrap": script_safe(picture),
    }


def environment() -> jinja2.Environment:
    """Return the templates: everything is escaped, and a missing variable is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(resources.folder("templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )


def script_safe(value: object) -> str:
    """Return `value` as JSON that cannot end the script tag it stands in."""
    return msgspec.json.encode(value).decode().translate(_ESCAPES)
