"""Take contract events over HTTP: `POST /api/events`, one or many, all or nothing."""

import asyncio
import json
from decimal import Decimal
from typing import Any, Final

import sanic
from sanic import Blueprint, HTTPResponse

from appliance.errors import BadRequest
from appliance.pushed.service import Pushed
from appliance.web import body as bodies
from appliance.web.answers import answer
from appliance.web.parts import Parts
from appliance.web.security import authorize

_LINE_TYPES: Final = ("ndjson", "jsonl", "jsonlines")
_FORMS: Final = 'one event, {"events":[…]} or, as NDJSON, one event a line'


def blueprint(parts: Parts, pushed: Pushed) -> Blueprint:
    """Return the route."""
    routes = Blueprint("events", url_prefix="/api")

    @routes.post("/events", stream=True)
    async def post_events(request: sanic.Request) -> HTTPResponse:
        authorize(request, parts, "write")
        body = await bodies.read(request, parts.settings.max_request_size)
        kind = request.headers.get("content-type", "")
        events, one = await asyncio.to_thread(decode, body, kind)
        outcome = await pushed.events(events, one=one)
        counts = {
            "accepted": outcome.accepted,
            "duplicates": outcome.duplicates,
            "marks": outcome.marks,
            "ignored": outcome.ignored,
            "followed": outcome.followed,
        }
        return answer(request, counts, cache="no-store")

    return routes


def decode(body: bytes, content_type: str) -> tuple[list[Any], bool]:
    """Return the events of a body as they are written, and whether there was just one, alone.

    Raises:
        BadRequest: the body is not JSON, or has another form.
    """
    lines = any(name in content_type.lower() for name in _LINE_TYPES)
    try:
        text = body.decode()
        if lines:
            return [_read(line) for line in text.split("\n") if line.strip()], False
        found = _read(text)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise BadRequest(f"body must be {_FORMS}, was not JSON: {str(error)[:200]}") from None
    if isinstance(found, list):
        return found, False
    if isinstance(found, dict) and isinstance(found.get("events"), list):
        return found["events"], False
    if isinstance(found, dict) and "events" not in found:
        return [found], True
    raise BadRequest(f"body must be {_FORMS}, was {str(found)[:80]!a}", "events")


def _read(text: str) -> Any:
    """Return JSON with every number exact: an amount of 10^21 is more than a double holds."""
    return json.loads(text, parse_float=Decimal, parse_constant=_no_number)


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")
