"""Shape every answer: JSON, entity tags, and errors in the dialect of their route.

The adapter of TradingView widgets never reads a status, only bodies, so under /api/tradingview
every error has the UDF body, whatever went wrong. All other routes answer errors as
`{"success":false,"error":{…}}`. Internal errors are logged with their traceback and answered
without it.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote

import msgspec
import sanic
from sanic import HTTPResponse
from sanic.exceptions import MethodNotAllowed, SanicException
from sanic.exceptions import NotFound as NoRoute

from appliance.errors import RequestError, Retryable, UnknownSymbol
from appliance.web import binance_errors
from appliance.web.parts import Parts
from appliance.web.request import Request, printable

JSON: Final = "application/json; charset=utf-8"
REVALIDATE: Final = "no-cache"
"""Browsers ask again every time, and mostly hear 304: corrected bars must reach them."""
SETTLED: Final = "max-age=0, must-revalidate, s-maxage=30"
"""The same to browsers; a cache that many share may keep history that hardly changes."""
_log = logging.getLogger("appliance.web")
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Failure:
    """What a caller is told of an error."""

    status: int
    code: str
    message: str
    field: str | None = None


def answer(
    request: sanic.Request, value: object, status: int = 200, cache: str = REVALIDATE
) -> HTTPResponse:
    """Return `value` as JSON, or 304 if the caller holds the same already."""
    return tagged(request, _encode(value), JSON, status=status, cache=cache)


def tagged(
    request: sanic.Request,
    body: bytes,
    content_type: str,
    status: int = 200,
    cache: str = REVALIDATE,
) -> HTTPResponse:
    """Return `body` with its entity tag, or 304 if the caller holds the same already."""
    headers = {"cache-control": cache}
    if status == 200:
        headers["etag"] = tag = f'"{blake2b(body, digest_size=16).hexdigest()}"'
        if holds(request.headers.get("if-none-match", ""), tag):
            return HTTPResponse(status=304, headers=headers)
    return HTTPResponse(body, status, headers, content_type)


def holds(known: str, tag: str) -> bool:
    """Return whether a caller's If-None-Match `known` names `tag`."""
    return bool(known) and (
        known.strip() == "*" or tag in (k.strip().removeprefix("W/") for k in known.split(","))
    )


def install(app: sanic.Sanic[Any, Any], parts: Parts) -> None:
    """Read paths leniently, limit bodies, and answer every error in its dialect."""
    app.request_class = Request
    app.config.REQUEST_MAX_SIZE = parts.settings.max_request_size
    app.exception(Exception)(fail)


def fail(request: sanic.Request, error: Exception) -> HTTPResponse:
    """Return the answer to an error; OPTIONS is answered on every path, existing or not."""
    if request.method == "OPTIONS" and isinstance(error, NoRoute | MethodNotAllowed):
        return HTTPResponse(status=204)
    failure = describe(request, error)
    if failure.status == 500:
        _log.error("%s %s failed", request.method, request.path, exc_info=error)
    headers = {"cache-control": "no-store", **_headers(error)}
    return HTTPResponse(
        _encode(dialect(_path(request))(failure)), failure.status, headers, content_type=JSON
    )


def _path(request: sanic.Request) -> str:
    """Return the path; where the head was too long to be read, the one in what was received."""
    received: bytes = bytes(getattr(request.stream, "recv_buffer", b"")[:256])
    if request.path != "*" or b" " not in received:
        return request.path
    return received.split(b" ")[1].partition(b"?")[0].decode("ascii", "replace")


def describe(request: sanic.Request, error: Exception) -> Failure:
    """Return what to tell the caller of `error`."""
    if isinstance(error, RequestError):
        return Failure(error.status, error.code, str(error), error.field)
    if isinstance(error, Retryable):
        return Failure(error.status, error.code, str(error))
    if isinstance(error, NoRoute):
        return Failure(404, "not_found", f"path must be one that is served, was {request.path!r}")
    if isinstance(error, MethodNotAllowed):
        allowed = error.headers.get("Allow", "GET")
        message = f"method must be one of {allowed}, was {printable(request.method[:32])}"
        return Failure(405, "method_not_allowed", message)
    status = error.status_code if isinstance(error, SanicException) else 500
    if status == 500:
        return Failure(500, "internal", "the server failed; its log says why")
    code = HTTPStatus(status).phrase.lower().replace(" ", "_")
    return Failure(status, code, printable(str(error)))


def _headers(error: Exception) -> dict[str, str]:
    if isinstance(error, Retryable):
        return {"retry-after": "1"}
    if isinstance(error, RequestError) and error.status == 401:
        return {"www-authenticate": "Bearer"}
    return (
        {k: str(v) for k, v in error.headers.items()} if isinstance(error, SanicException) else {}
    )


def _udf(failure: Failure) -> object:
    unknown = failure.code == UnknownSymbol.code
    return {"s": "error", "errmsg": failure.code if unknown else failure.message}


def _lightweight(failure: Failure) -> object:
    error = {"code": failure.code, "message": failure.message}
    return {"success": False, "error": error | ({"field": failure.field} if failure.field else {})}


_DIALECTS: Final[dict[str, Callable[[Failure], object]]] = {
    "/api/tradingview": _udf,
    **dict.fromkeys(("/api/v3", "/fapi", "/dapi", "/sapi"), binance_errors.body),
}


def dialect(path: str) -> Callable[[Failure], object]:
    """Return how errors look under `path`."""
    plain = unquote(path)
    for prefix, shape in _DIALECTS.items():
        if plain == prefix or plain.startswith(f"{prefix}/"):
            return shape
    return _lightweight
