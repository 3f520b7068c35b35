"""Take signed webhooks: `POST /api/webhooks/<provider>`, raw logs of contracts that are known.

The signature is HMAC-SHA256 over the body as it was sent, in hex digits. It is checked before
anything of the body is read as JSON, in constant time, so that the time of an answer says nothing
about it.
"""

import asyncio
import hmac
from dataclasses import asdict
from hashlib import sha256
from typing import Final

import sanic
from sanic import Blueprint, HTTPResponse

from appliance.errors import BadRequest, Forbidden, NotFound, Unauthorized
from appliance.pushed.providers import PROVIDERS, Provider
from appliance.pushed.service import Pushed
from appliance.web import body as bodies
from appliance.web.answers import answer
from appliance.web.parts import Parts

_PREFIX: Final = "sha256="


def blueprint(parts: Parts, pushed: Pushed) -> Blueprint:
    """Return the route."""
    routes = Blueprint("webhooks", url_prefix="/api/webhooks")
    secret, limit = parts.settings.webhook_secret, parts.settings.max_request_size

    @routes.post("/<name:str>", stream=True)
    async def post_webhook(request: sanic.Request, name: str) -> HTTPResponse:
        provider = _provider(name)
        signature = _signature(request, provider, secret)
        body = await bodies.read(request, limit)
        if not is_signed(body, signature, secret):
            raise Unauthorized(
                f"{provider.header} must be the HMAC-SHA256 of the body by WEBHOOK_SECRET, was "
                "another: set that to the signing key which the provider shows for this webhook"
            )
        delivery = await asyncio.to_thread(provider.read, body)
        outcome = await pushed.logs(delivery.logs, delivery.chain_id)
        return answer(request, asdict(outcome), cache="no-store")

    return routes


def is_signed(body: bytes, signature: str, secret: str) -> bool:
    """Return whether `signature`, in hex digits, is of this body and secret."""
    expected = hmac.new(secret.encode(), body, sha256).hexdigest()
    sent = signature.strip().lower().removeprefix(_PREFIX)
    return hmac.compare_digest(expected.encode(), sent.encode(errors="surrogateescape"))


def _provider(name: str) -> Provider:
    if name not in PROVIDERS:
        known = ", ".join(PROVIDERS)
        raise NotFound(f"provider must be one of {known}, was {name[:64]!r}", "provider")
    return PROVIDERS[name]


def _signature(request: sanic.Request, provider: Provider, secret: str) -> str:
    """Return the signature that was sent; strangers are refused before their body is received."""
    if not secret:
        raise Forbidden(
            "WEBHOOK_SECRET must be set to open this route: WEBHOOK_SECRET=<the signing key that "
            "the provider shows for this webhook>"
        )
    signature: str = request.headers.get(provider.header, "")
    if not signature:
        raise Unauthorized(f"{provider.header} must carry the body's signature, was none")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise BadRequest("Content-Encoding must be absent: the signature is of the body as sent")
    return signature
