"""A store with a few markets, served in the shape of Binance's REST API at the time NOW."""

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any

import urllib3
from sanic import Sanic

from appliance.datafeed import Datafeed
from appliance.model import Market, MarketSpec
from appliance.settings import Settings
from appliance.web import answers, binance, security
from appliance.web.parts import Parts
from tests.conftest import NOW, Opened
from tests.oracle import T, table
from tests.web_server import Answer, FakeStatus, running

UNIT = 10**18
GOLD = MarketSpec("GOLD", base="GOLD", quote="USD", price_decimals=2)
POOL = MarketSpec(
    "WETH/USDC", chain_id=1, contract="0x" + "ab" * 20, order="chain", price_decimals=4
)
CHEAPER = replace(POOL, contract="0x" + "cd" * 20, pool_fee=500)
TINY = MarketSpec("TINY", base="TINY", quote="USD")
PRICELESS = MarketSpec("PRICELESS", base="PRICELESS", quote="USD")
_names = itertools.count()


def ago(seconds: float) -> int:
    """Return the microsecond that lies so many seconds before NOW."""
    return round((NOW - seconds) * 10**6)


GOLD_TRADES = [
    T(ago(3 * 86_400), 90.0, 4 * UNIT, "buy", "a"),
    T(ago(86_400 - 60), 100.0, UNIT, "sell", "b"),
    T(ago(7_300), 104.5, UNIT // 2, "buy", "c"),
    T(ago(7_299), 98.25, UNIT // 4, "", "d"),
    T(ago(130), 101.0, 3 * UNIT, "buy", "e"),
    T(ago(70), 101.5, UNIT // 10**9, "sell", "f"),
    T(ago(5), 102.0, 2 * UNIT, "buy", "g"),
    T(ago(5), 102.5, UNIT, "sell", "h"),
    T(ago(3), None, UNIT, "buy", "i"),
]
POOL_TRADES = [
    T(ago(600), 2_500.0, UNIT, "buy", block=100, log_index=7),
    T(ago(588), 2_501.5, UNIT // 2, "sell", block=101, log_index=0),
    T(ago(588), 2_501.25, UNIT // 8, "sell", block=101, log_index=3),
]
STORED: tuple[tuple[MarketSpec, list[T]], ...] = (
    (GOLD, GOLD_TRADES),
    (POOL, POOL_TRADES),
    (CHEAPER, [T(ago(20), 2_500.5, UNIT, "buy", block=105, log_index=1)]),
    (TINY, [T(ago(9 * 86_400), 0.00000123, 10**12 * UNIT, "buy", "t")]),
    (PRICELESS, [T(ago(60), None, UNIT, "buy", "p")]),
)


@dataclass
class World:
    """A running server and what it answers from."""

    port: int
    datafeed: Datafeed
    status: FakeStatus
    opened: Opened
    pool: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(retries=False, timeout=10)
    )

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, **fields: Any) -> Answer:
        response = self.pool.request("GET", self.address + path, fields=fields or None)
        return Answer(response.status, response.headers, response.data)

    def market(self, symbol: str) -> Market:
        return self.datafeed.catalogue.resolve(symbol)

    def store(self, spec: MarketSpec, trades: Sequence[T]) -> Market:
        return store(self.opened, spec, trades)


def store(opened: Opened, spec: MarketSpec, trades: Sequence[T]) -> Market:
    """Store trades of one market, and return it."""
    opened.store.writer.submit(table(trades), (spec,)).result(30)
    found = opened.store.catalogue.find(spec)
    assert found is not None
    return found


@contextmanager
def serving(opened: Opened) -> Iterator[World]:
    """Serve what is stored."""
    datafeed, status = opened.datafeed(), FakeStatus()
    used: dict[str, Any] = {
        "settings": Settings(),
        "metrics": opened.metrics,
        "catalogue": opened.store.catalogue,
        "datafeed": datafeed,
        "status": status,
    }
    unused: dict[str, Any] = dict.fromkeys(each.name for each in fields(Parts))
    parts = Parts(**(unused | used))
    Sanic.test_mode = True
    app: Sanic[Any, Any] = Sanic(f"binance-{next(_names)}", configure_logging=False)
    answers.install(app, parts)
    security.install(app, parts)
    app.blueprint(binance.blueprint(parts, opened.store.reader, lambda: NOW + 0.25))
    with running(app) as port:
        world = World(port, datafeed, status, opened)
        try:
            yield world
        finally:
            world.pool.clear()


def on_loop(awaitable: Any) -> Any:
    """Return what `awaitable` gives, on a loop of its own."""
    return asyncio.run(awaitable)
