"""Who may do what, what browsers must not do, and a record of every request.

Headers are made once, at installation. Keys are compared in constant time, all of them, so that
the time of an answer says nothing about any.
"""

import logging
import time
from collections.abc import MutableMapping
from functools import lru_cache
from hashlib import blake2b
from hmac import compare_digest
from typing import Any, Final

import sanic
from sanic.http.http1 import Http
from sanic.response import BaseHTTPResponse

from appliance.errors import Forbidden, Unauthorized
from appliance.metrics import Metrics
from appliance.settings import SCOPES, ApiKey, Scope, Settings
from appliance.tally import Count, Times
from appliance.web.parts import Parts
from appliance.web.request import printable

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'"
)
_ANCESTORS: Final = {"SAMEORIGIN": "'self'", "DENY": "'none'"}
_log = logging.getLogger("appliance.access")


def install(app: sanic.Sanic[Any, Any], parts: Parts) -> None:
    """Add headers to every answer, count it, and log it if ACCESS_LOG is on."""
    settings = parts.settings
    fixed, preflight, page = always(settings), _preflight(settings), _page(settings)
    app.ctx.stopping = False

    def finish(request: sanic.Request, response: BaseHTTPResponse) -> None:
        response.headers.update(fixed)
        name_origin(response.headers, request.headers.get("origin"), settings)
        if request.method == "OPTIONS":
            response.headers.update(preflight)
        if (response.content_type or "").startswith("text/html"):
            _guard(response, page)
        _record(request, response, parts)
        if app.ctx.stopping and isinstance(request.stream, Http):
            request.stream.keep_alive = False  # clients would keep the connection busy

    app.register_middleware(finish, "response")


def always(settings: Settings) -> dict[str, str]:
    """Return the headers that every answer has."""
    headers = {
        "x-content-type-options": "nosniff",
        "referrer-policy": "strict-origin-when-cross-origin",
        "x-frame-options": settings.frame_options,
        "cross-origin-resource-policy": "cross-origin",
        "access-control-expose-headers": "ETag, Retry-After",
    }
    if "*" in settings.cors_origins:
        headers["access-control-allow-origin"] = "*"
    return headers


def _preflight(settings: Settings) -> dict[str, str]:
    allowed = ("Content-Type", "Content-Encoding", "Authorization", "If-None-Match")
    return {
        "access-control-allow-methods": ", ".join(_METHODS),
        "access-control-allow-headers": ", ".join(
            (*allowed, "Idempotency-Key", settings.api_key_header)
        ),
        "access-control-max-age": "86400",
    }


def _page(settings: Settings) -> dict[str, str]:
    ancestors = _ANCESTORS[settings.frame_options]
    return {"content-security-policy": policy((ancestors,))}


def policy(ancestors: tuple[str, ...]) -> str:
    """Return the policy of a page that only pages of these origins may show in a frame."""
    return f"{_POLICY}; frame-ancestors {' '.join(ancestors) or _ANCESTORS['DENY']}"


def _guard(response: BaseHTTPResponse, page: dict[str, str]) -> None:
    """Add the policy of pages, unless the page has its own, which says more than the old header."""
    if "content-security-policy" in response.headers:
        response.headers.pop("x-frame-options", None)
    else:
        response.headers.update(page)


def name_origin(headers: MutableMapping[str, str], origin: str | None, settings: Settings) -> None:
    """Let pages of `origin` read the answer with these headers, if they may."""
    if "*" in settings.cors_origins:
        return  # every answer says so
    known = headers.get("vary")
    headers["vary"] = f"{known}, Origin" if known else "Origin"
    if origin in settings.cors_origins:
        headers["access-control-allow-origin"] = origin


def _record(request: sanic.Request, response: BaseHTTPResponse, parts: Parts) -> None:
    """Count by route template, never by raw path: strangers choose those."""
    now = time.perf_counter()
    seconds = now - getattr(request, "started", now)
    route = request.route.path if request.route else None
    count(parts, route, request.method, response.status, seconds)
    if parts.settings.access_log:
        extra = {
            "method": printable(request.method[:16]),
            "path": request.path[:256],  # without the query, which may hold secrets
            "status": response.status,
            "milliseconds": round(seconds * 1_000, 1),
            "client": request.ip,
        }
        _log.info("request", extra=extra)


def count(parts: Parts, route: str | None, method: str, status: int, seconds: float) -> None:
    """Count an answer that took some seconds."""
    requests, times = _counters(parts.metrics, route, method, status)
    requests.inc()
    times.observe(seconds)


@lru_cache(1_024)
def _counters(metrics: Metrics, path: str | None, method: str, status: int) -> tuple[Count, Times]:
    """Return the counters of a route: finding them takes longer than counting."""
    route = "(none)" if path is None else f"/{path}"
    known = method if method in _METHODS else "(other)"
    requests = metrics.http_requests.labels(route, known, str(status))
    return requests, metrics.http_seconds.labels(route)


def authorize(request: sanic.Request, parts: Parts, scope: Scope) -> None:
    """Return if the request carries a key of at least `scope`.

    Raises:
        Forbidden: no key is configured, or the key's scope is too small.
        Unauthorized: no key was sent, or not a known one.
    """
    settings = parts.settings
    sent = _sent_key(request, settings.api_key_header)
    held = _scope_of(sent, settings.api_keys, parts.admin_token)
    if held is None and not settings.api_keys:
        raise Forbidden(
            "API_KEYS must be set to open this route: API_KEYS=<key>, then send the key"
        )
    if held is None:
        problem = "was none" if not sent else "was an unknown one"
        raise Unauthorized(f"{settings.api_key_header} must carry a key of API_KEYS, {problem}")
    if SCOPES.index(held) < SCOPES.index(scope):
        raise Forbidden(f"the key's scope must be {scope}, was {held}")


def _sent_key(request: sanic.Request, header: str) -> str:
    kind, _, bearer = request.headers.get("authorization", "").partition(" ")
    return request.headers.get(header) or (bearer.strip() if kind.lower() == "bearer" else "")


def _scope_of(sent: str, keys: tuple[ApiKey, ...], admin_token: str) -> Scope | None:
    if not sent:
        return None
    if admin_token:
        keys = (*keys, ApiKey(admin_token, "admin"))
    digest = _digest(sent)
    held = [key.scope for key in keys if compare_digest(digest, _digest(key.key))]
    return max(held, key=SCOPES.index, default=None)


def _digest(key: str) -> bytes:
    return blake2b(key.encode(errors="surrogateescape")).digest()
