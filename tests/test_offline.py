"""Requests without a socket."""

import asyncio
import itertools
from typing import Any

import pytest
import sanic
from sanic import HTTPResponse, Sanic

from appliance import offline
from appliance.web.request import Request

_names = itertools.count()
Started = list[str]


def application() -> tuple[Sanic[Any, Any], Started]:
    """Return an application that echoes what it is asked, and the list of its listeners' calls."""
    Sanic.test_mode = True
    app: Sanic[Any, Any] = Sanic(
        f"offline-{next(_names)}", request_class=Request, configure_logging=False
    )
    started: Started = []

    @app.get("/echo/<rest:path>")
    async def echo(request: sanic.Request, rest: str) -> HTTPResponse:
        return HTTPResponse(f"{rest} {request.args} {request.ip}")

    @app.get("/broken")
    async def broken(request: sanic.Request) -> HTTPResponse:
        return HTTPResponse("no", 503)

    @app.get("/stream")
    async def stream(request: sanic.Request) -> None:
        response = await request.respond(content_type="text/plain")
        await response.send("one ")
        await response.send("two")
        await response.eof()

    @app.before_server_start
    async def before(_: object) -> None:
        started.append("start")

    @app.after_server_stop
    async def after(_: object) -> None:
        started.append("stop")

    return app, started


async def ask(path: str) -> tuple[int, str]:
    app, _ = application()
    async with offline.running(app):
        status, body = await offline.get(app, path)
    return status, body.decode()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/echo/a", "a {} 127.0.0.1"),
        ("//echo//a/", "a {} 127.0.0.1"),  # not a host called echo
        ("/echo/a?b=1&b=2&c=%2B", "a {'b': ['1', '2'], 'c': ['+']} 127.0.0.1"),
        ("/echo/a?b=ü c#part", "a {'b': ['ü c']} 127.0.0.1"),
        ("/echo/a?b=http://x/?y", "a {'b': ['http://x/?y']} 127.0.0.1"),
    ],
)
async def test_paths_and_queries_arrive_as_over_a_socket(path: str, expected: str) -> None:
    assert (200, expected) == await ask(path)


async def test_status_and_body_come_back() -> None:
    assert (503, "no") == await ask("/broken")
    assert (200, "one two") == await ask("/stream")
    assert (await ask("/nothing"))[0] == 404


async def test_listeners_run_before_and_after() -> None:
    app, started = application()
    async with offline.running(app):
        assert ["start"] == started
        assert [200, 200] == [(await offline.get(app, "/echo/a"))[0] for _ in range(2)]
    assert ["start", "stop"] == started


async def test_a_failing_start_is_an_error_and_leaves_nothing_behind() -> None:
    app, _ = application()

    @app.before_server_start
    async def fail(_: object) -> None:
        raise ValueError("the reason")

    with pytest.raises(RuntimeError, match="the reason"):
        async with offline.running(app):
            pytest.fail("it must not run")
    assert {asyncio.current_task()} == asyncio.all_tasks()
