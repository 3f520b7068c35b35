"""Verify over HTTP, for keys of scope admin, under `/api/admin`.

`POST verify` begins to compare candles with trades, `GET verify` tells how far it is and what came
of it; the outcome stays there until the next one, also over restarts.
"""

from http import HTTPStatus
from typing import Any, Final

import msgspec
import sanic
from sanic import Blueprint, HTTPResponse

from appliance.errors import BadRequest
from appliance.store.verify import State
from appliance.web import body as bodies
from appliance.web.answers import answer
from appliance.web.parts import Parts
from appliance.web.security import authorize

_BODY_MAX: Final = 4 << 10


class Wanted(msgspec.Struct, frozen=True):
    """What to do: make unequal days anew, or read recent days only."""

    repair: bool = False
    recent: bool = False


def blueprint(parts: Parts) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("verify", url_prefix="/api/admin")

    @routes.post("/verify", stream=True)
    async def post_verify(request: sanic.Request) -> HTTPResponse:
        authorize(request, parts, "admin")
        wanted = _wanted(await bodies.read(request, _BODY_MAX))
        parts.verifier.start(repair=wanted.repair, recent=wanted.recent)
        body = state_body(parts.verifier.state())
        return answer(request, body, HTTPStatus.ACCEPTED, cache="no-store")

    @routes.get("/verify")
    async def get_verify(request: sanic.Request) -> HTTPResponse:
        authorize(request, parts, "admin")
        return answer(request, state_body(parts.verifier.state()), cache="no-store")

    return routes


def _wanted(body: bytes) -> Wanted:
    try:
        return msgspec.json.decode(body, type=Wanted) if body.strip() else Wanted()
    except msgspec.MsgspecError as error:
        form = '{"repair":false,"recent":false}'
        raise BadRequest(f"body must be empty or like {form}, was not: {error}") from None


def state_body(state: State) -> dict[str, Any]:
    """Return how a verify is doing: idle, running, done or failed, and the last report."""
    report = state.report
    return {
        "state": _word(state),
        "progress": round(state.progress, 3),
        "error": state.error,
        "report": report
        and {
            "equal": report.equal,
            "days": report.days_checked,
            **msgspec.to_builtins(report),
        },
    }


def _word(state: State) -> str:
    if state.running:
        return "running"
    if state.error is not None:
        return "failed"
    return "idle" if state.report is None else "done"
