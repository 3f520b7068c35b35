"""A minute of dropped connections and a killed server: clients hold what the store holds."""

import asyncio
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import urllib3

from tests.fault.pushers import KEY
from tests.processes import Server
from tests.stream_follower import Bars, Follower

SYMBOLS = ("GOLD", "WETH/USDC", "TIN")
CLIENTS = 12
HALF_S = 30.0
BARS = ("1s", "7s", "1m", "90s", "1h", "1M")
PAGE = 1_000
servers: list[Server] = []


class RestPast:
    """What the server tells by REST."""

    def __init__(self, server: Server, begun: float) -> None:
        self.server = server
        self.begun_ms = int(begun - 86_400 * 40) * 1_000
        self.pool = urllib3.PoolManager(retries=False, timeout=30, maxsize=99)

    async def bars(self, stream: str) -> Bars:
        symbol, _, name = stream.partition("@kline_")
        asked = {"symbol": symbol, "interval": name, "startTime": self.begun_ms, "limit": PAGE}
        rows = await self._ask("klines", asked)
        return {row[0]: (*map(float, row[1:6]), row[8]) for row in rows}

    async def trades(self, stream: str) -> dict[int, float]:
        found: dict[int, float] = {}
        asked = {"symbol": stream.partition("@")[0], "limit": PAGE, "fromId": 0}
        while rows := await self._ask("historicalTrades", asked):
            found |= {row["id"]: float(row["price"]) for row in rows}
            asked["fromId"] = rows[-1]["id"] + 1
        return found

    async def _ask(self, what: str, fields: dict[str, Any]) -> Any:
        address = f"http://127.0.0.1:{self.server.port}/api/v3/{what}"
        answer = await asyncio.to_thread(self.pool.request, "GET", address, fields=fields)
        assert answer.status == 200, answer.data
        return msgspec.json.decode(answer.data)


async def trading(server: Server, seconds: float, choose: random.Random) -> None:
    """Post some trades several times a second, mostly of now."""
    pool, end = urllib3.PoolManager(retries=False, timeout=30), time.monotonic() + seconds
    while time.monotonic() < end:
        trades = []
        for _ in range(choose.randint(1, 3)):
            late_s = choose.choice([2, 8, 70]) if choose.random() < 0.02 else 0
            time_us = time.time_ns() // 1000 - late_s * 1_000_000 - choose.randrange(5_000)
            price = round(100 + 5 * choose.random(), 2)
            trade = {"symbol": choose.choice(SYMBOLS), "price": price, "size": 0.25}
            trades.append(trade | {"time": time_us, "id": f"{time_us}"})
        answer = await asyncio.to_thread(
            pool.request,
            "POST",
            f"http://127.0.0.1:{server.port}/api/trades",
            body=msgspec.json.encode({"trades": trades}),
            headers={"X-API-Key": KEY},
        )
        assert answer.status == 200, answer.data
        await asyncio.sleep(choose.random() / 10)


async def following(followers: list[Follower], seconds: float, seed: int) -> None:
    """Let all connect again and again, for a while each time."""

    async def one(follower: Follower, choose: random.Random) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await follower.connected(choose.random() * 3, choose)
            await asyncio.sleep(choose.choice([0.0, 0.1, 1.0, 3.0]) * choose.random())

    await asyncio.gather(*(one(f, random.Random(seed + n)) for n, f in enumerate(followers)))


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """Return a data directory; whatever serves it is ended."""
    yield tmp_path / "data"
    for server in servers:
        server.kill()
    servers.clear()


def serve(data_dir: Path) -> Server:
    servers.append(Server(data_dir, "--no-demo", API_KEYS=KEY).until("ready at"))
    return servers[-1]


@pytest.mark.fault
async def test_a_minute_of_dropped_connections(data_dir: Path) -> None:
    """Half of it before a kill, half after it."""
    choose, begun = random.Random(0), time.time()
    server = serve(data_dir)
    await trading(server, 2.0, choose)
    past = RestPast(server, begun)
    followers = [Follower("", _streams(choose), past) for _ in range(CLIENTS)]
    for number in range(2):
        for follower in followers:
            follower.address = f"ws://127.0.0.1:{server.port}"
        recovered = sum(f.recovered for f in followers)
        await asyncio.gather(
            trading(server, HALF_S, choose), following(followers, HALF_S, 100 * number)
        )
        assert sum(f.recovered for f in followers) - recovered > 10 * CLIENTS
        if number == 0:
            assert sum(f.lost for f in followers) == 0
            server.kill()
            server = past.server = serve(data_dir)
    assert sum(f.lost for f in followers) == sum(len(f.streams) for f in followers)
    await asyncio.sleep(1.5)
    await asyncio.gather(*(f.connected(3.0, choose) for f in followers))
    for follower in followers:
        for name, bars in follower.bars.items():
            assert bars == await past.bars(name)
        for name, trades in follower.trades.items():
            assert trades == await past.trades(name)
    print(
        f"{sum(f.events for f in followers):,} events, {sum(f.recovered for f in followers)} "
        f"streams recovered, {sum(f.lost for f in followers)} read again"
    )
    assert "Traceback" not in server.log


def _streams(choose: random.Random) -> list[str]:
    """Return the trades and the bars of some intervals of each market."""
    names = [symbol.replace("/", "").lower() for symbol in SYMBOLS]
    bars = [f"{name}@kline_{interval}" for name in names for interval in choose.sample(BARS, 3)]
    return [*bars, *(f"{name}@trade" for name in names)]
