"""Answer one request of an application without a socket, by ASGI."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import quote, unquote

from sanic import Sanic

_PEER: Final = ("127.0.0.1", 0)
_URL_SIGNS: Final = "%!$&'()*+,;=:@/?[]"
"""What a target may hold as it is; all else is percent-encoded, as a browser would."""
App = Sanic[Any, Any]


@asynccontextmanager
async def running(app: App) -> AsyncIterator[None]:
    """Start `app` as an ASGI server would, and stop it at the end; its listeners run.

    Raises:
        RuntimeError: a listener failed.
    """
    to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    app.config.MOTD = False
    app.config.TOUCHUP = False  # it rewrites Sanic's own classes, once in a process
    task = asyncio.ensure_future(app({"type": "lifespan"}, to_app.get, from_app.put))

    async def step(name: str) -> None:
        await to_app.put({"type": f"lifespan.{name}"})
        answer = await from_app.get()
        if answer["type"] != f"lifespan.{name}.complete":
            raise RuntimeError(answer.get("message", answer["type"]))

    try:
        await step("startup")
        yield
    finally:
        await step("shutdown")
        await task


async def get(app: App, path: str) -> tuple[int, bytes]:
    """Return status and body of GET `path`, query included; `app` is running."""
    scope = _scope(*quote(path.partition("#")[0], safe=_URL_SIGNS).partition("?")[::2])
    status, body = 500, bytearray()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        elif message["type"] == "http.response.body":
            body.extend(message.get("body", b""))

    await app(scope, receive, send)
    return status, bytes(body)


def _scope(path: str, query: str) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"localhost")],
        "client": _PEER,
        "server": ("localhost", 80),
    }
