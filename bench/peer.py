"""A peer behind a plain Sanic handler: `peer.py KIND PORT FOLDER` answers /history as UDF JSON.

`duckdb` computes bars from sorted raw trades at each request; `sqlite` reads ready one-minute
candles by their primary key; `engine` asks the bare embedded ClickHouse for the same candles as the
product does, in the same data directory. Each has two threads with a connection of its own.
"""

import asyncio
import sqlite3
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import msgspec
from sanic import HTTPResponse, Request, Sanic

Columns = list[list[Any]]
Ask = Callable[[int, int, int], Columns]
JSON: Final = "application/json; charset=utf-8"
_BARS: Final = """
    SELECT time // $step * $step AS bar, arg_min(price, sequence), max(price), min(price),
        arg_max(price, sequence), sum(volume)
    FROM trades WHERE time >= $first AND time < $last GROUP BY bar ORDER BY bar
"""
_CANDLES: Final = "SELECT * FROM candles WHERE step = ? AND time >= ? AND time < ? ORDER BY time"


def duckdb_asked(folder: Path) -> Callable[[], Ask]:
    """Return what makes a connection to the trades in `trades.duckdb`."""
    import duckdb

    whole = duckdb.connect(str(folder / "trades.duckdb"), read_only=True, config={"threads": 1})

    def connect() -> Ask:
        cursor = whole.cursor()

        def ask(step: int, first: int, last: int) -> Columns:
            values = {"step": step, "first": first, "last": last}
            return [list(c) for c in zip(*cursor.execute(_BARS, values).fetchall(), strict=True)]

        return ask

    return connect


def sqlite_asked(folder: Path) -> Callable[[], Ask]:
    """Return what makes a connection to the candles in `candles.sqlite`."""

    def connect() -> Ask:
        database = sqlite3.connect(folder / "candles.sqlite")

        def ask(step: int, first: int, last: int) -> Columns:
            rows = database.execute(_CANDLES, (step, first, last)).fetchall()
            return [list(c) for c in zip(*rows, strict=True)][1:]

        return ask

    return connect


def engine_asked(folder: Path) -> Callable[[], Ask]:
    """Return what makes a handle to the store in `bare`."""
    from appliance.settings import Settings
    from appliance.store.engine import Engine
    from appliance.store.reader import select

    engine = Engine(Settings(data_dir=folder / "served").store_dsn)
    engine.open()

    def connect() -> Ask:
        client = engine.client()
        asked = {"market": 1, "offset": 0, "months": 0, "limit": 10_001}

        def ask(step: int, first: int, last: int) -> Columns:
            span = {"divisor": step, "step": step, "from": first, "to": last}
            found = [
                list(column[::-1]) for column in select(client, "select_candles", asked | span)
            ]
            return [*found[:5], list(map(float, found[5]))]

        return ask

    return connect


KINDS: Final = {"duckdb": duckdb_asked, "sqlite": sqlite_asked, "engine": engine_asked}


def main() -> None:
    """Serve until killed."""
    kind, port, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    connect, local = KINDS[kind](folder), threading.local()
    pool = ThreadPoolExecutor(2)
    app: Sanic = Sanic("peer", configure_logging=False)  # type: ignore[type-arg]
    app.config.ACCESS_LOG = False

    def body(step: int, first: int, last: int) -> bytes:
        if not hasattr(local, "ask"):
            local.ask = connect()
        columns = local.ask(step, first, last)
        return msgspec.json.encode({"s": "ok"} | dict(zip("tohlcv", columns, strict=True)))

    @app.get("/<path:path>")
    async def history(request: Request, path: str) -> HTTPResponse:
        asked = {name: values[0] for name, values in request.args.items()}
        step = 86_400 if asked.get("resolution") == "1D" else 60
        span = int(asked["from"]), int(asked["to"])
        loop = asyncio.get_running_loop()
        return HTTPResponse(await loop.run_in_executor(pool, body, step, *span), 200, None, JSON)

    @app.get("/health/ready")
    async def ready(request: Request) -> HTTPResponse:
        return HTTPResponse(b"{}", 200, None, JSON)

    app.run("127.0.0.1", port, single_process=True, motd=False, access_log=False)


if __name__ == "__main__":
    main()
