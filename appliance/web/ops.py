"""Routes for operators: health, metrics, version."""

import platform

import sanic
from sanic import Blueprint, HTTPResponse

from appliance import __version__, resources
from appliance.errors import NotFound
from appliance.web.answers import answer, tagged
from appliance.web.parts import Parts
from appliance.web.shapes import status_body

ICONS = ("favicon.svg", "mark.svg")


def blueprint(parts: Parts) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("ops")

    @routes.get("/health")
    async def alive(request: sanic.Request) -> HTTPResponse:
        return answer(request, {"status": "alive"}, cache="no-store")

    @routes.get("/health/ready")
    async def ready(request: sanic.Request) -> HTTPResponse:
        report = await parts.status.report()
        status = 200 if report.ready else 503
        return answer(request, status_body(report), status, cache="no-store")

    @routes.get("/metrics")
    async def metrics(_: sanic.Request) -> HTTPResponse:
        headers = {"cache-control": "no-store"}
        text = parts.metrics.text()
        return HTTPResponse(text, 200, headers, "text/plain; version=0.0.4; charset=utf-8")

    @routes.get("/version")
    async def version(request: sanic.Request) -> HTTPResponse:
        body = {
            "version": __version__,
            "python": platform.python_version(),
            "instance": parts.instance,
        }
        return answer(request, body)

    @routes.get("/favicon.ico")
    async def icon(request: sanic.Request) -> HTTPResponse:
        for name in ICONS:
            path = resources.folder("static") / name
            if path.is_file():
                return tagged(request, path.read_bytes(), "image/svg+xml")
        raise NotFound("path must be one that is served, was '/favicon.ico'")

    return routes
