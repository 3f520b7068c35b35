"""A real server on a free port, whose parts below the web are fakes that tests can look into."""

import asyncio
import itertools
import re
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any

import msgspec
import pyarrow as pa
import urllib3
from sanic import Sanic

from appliance.datafeed import History, TradeRow
from appliance.directory import Sort
from appliance.interval import Interval
from appliance.marks import ChartMark
from appliance.metrics import Metrics
from appliance.model import Candles, Market, MarketId, MarketSpec, Receipt, Revision
from appliance.settings import ApiKey, Settings
from appliance.sources import DemoSource
from appliance.statistics.summaries import Summary
from appliance.status import PartState, StatusReport
from appliance.store.backup import Backups
from appliance.store.catalogue import Catalogue
from appliance.store.report import Report
from appliance.store.verify import Verifier
from appliance.web import (
    admin,
    answers,
    backups,
    charts,
    dashboard,
    demo,
    express,
    lightweight,
    ops,
    positions,
    quotes,
    sdk,
    security,
    trades,
    udf,
    verify,
)
from appliance.web.parts import Parts
from appliance.web.socket import StreamProtocol

KEY = "write-key-0123456789"
ADMIN_TOKEN = "admin-token-0123456789"
MINUTE_0 = 1_700_000_040  # a multiple of 60
GOLD = Market(
    MarketId(1),
    MarketSpec("GOLD", name="Gold", exchange="TEST", base="GOLD", quote="USD", price_decimals=2),
)
WETH = Market(
    MarketId(2),
    MarketSpec(
        "WETH/USDC",
        exchange="DEX",
        chain_id=1,
        contract="0x" + "ab" * 20,
        base="WETH",
        quote="USDC",
        order="chain",
        price_decimals=4,
    ),
)
TINY = Market(
    MarketId(3), MarketSpec("TINY", exchange="TEST", base="TINY", quote="USD", price_decimals=8)
)
_SECOND = 10**6
MARKS = (
    ChartMark(
        *("t10", "liquidation", (MINUTE_0 + 1) * _SECOND, 10, 96_412.5),
        *(10.5, 9_182.142857, "sell", "0xabc"),
    ),
    ChartMark("t11", "large_trade", (MINUTE_0 + 2) * _SECOND, 11, 2_500.0, None, 250.0, "buy"),
    ChartMark("f12", "funding", (MINUTE_0 + 3) * _SECOND, 12, 0.0001),
    ChartMark("f13", "funding", (MINUTE_0 + 4) * _SECOND, 13, -0.000125),
    ChartMark("n14", "note", (MINUTE_0 + 70) * _SECOND, 14, None, label="<b>listed</b>"),
    ChartMark("f15", "funding", (MINUTE_0 + 200) * _SECOND, 15, 0.0),  # while there is no bar
)
_names = itertools.count()


@dataclass
class FakeDatafeed:
    """Holds three one-minute candles, two trades and six marks of GOLD, and a price of TINY."""

    catalogue: Catalogue
    failure: Exception | None = None
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    candle_times: tuple[int, ...] = (MINUTE_0, MINUTE_0 + 60, MINUTE_0 + 300)
    provisional_from: int | None = None
    is_settled: bool = False

    def ready(self, *question: Any) -> None:
        """Know nothing at once: everything is asked of `candles`."""

    async def candles(
        self,
        market: Market,
        interval: Interval,
        from_time: int | None,
        to_time: int,
        countback: int = 0,
        limit: int = 10_000,
        older: bool = False,
    ) -> History:
        if self.failure:
            raise self.failure
        self.asked.append((market.symbol, interval.name, from_time, to_time, countback, limit))
        below = [t for t in self._times(market) if t < to_time]
        inside = [t for t in below if from_time is not None and t >= from_time]
        kept = below[-max(len(inside), countback) :] if inside or countback else []
        kept = kept[-limit:]
        before = [t for t in below if not kept or t < kept[0]]
        asked = older or not kept
        next_older = before[-1] if before and asked else None
        return History(_candles(kept), next_older, self.provisional_from, self.is_settled)

    def _times(self, market: Market) -> tuple[int, ...]:
        return self.candle_times if market.symbol == "GOLD" else ()

    async def summaries(self, markets: Sequence[Market]) -> dict[int, Summary]:
        if self.failure:
            raise self.failure
        known = {
            1: Summary(
                *(10.5, 0.5, 5.0, 10.0, 11.0, 9.0, 3.5, 36.75, 2),
                *(10.625, -0.000125, [10.0, 10.5]),
            ),
            3: Summary(0.00000123),
        }
        return {m.id: known[m.id] for m in markets if m.id in known}

    async def trades(self, market: Market, limit: int, before: int | None = None) -> list[TradeRow]:
        rows = [
            TradeRow((MINUTE_0 + i) * 10**6 + 5, 10**15 + i, 10.0 + i, 1.5, 15.0, side, "trade", *x)
            for i, side, x in ((1, "", (1, 7, "0xabc", "t1")), (0, "buy", (0, 0, "", "")))
        ]
        wanted = [row for row in rows if before is None or row.sequence < before]
        return wanted[:limit] if market.symbol == "GOLD" else []

    async def marks(
        self,
        market: Market,
        from_time: int,
        to_time: int,
        limit: int = 1_000,
        interval: Interval | None = None,
    ) -> list[ChartMark]:
        if self.failure:
            raise self.failure
        asked = from_time, to_time, limit, interval and interval.name
        self.asked.append((market.symbol, *asked))
        found = [m for m in MARKS if from_time <= m.time < to_time]
        return found[-limit:] if market.symbol == "GOLD" else []


@dataclass
class FakePages:
    """Trades of the datafeed, within a span."""

    datafeed: FakeDatafeed

    async def trades_between(
        self, market: Market, span: tuple[int, int], before: int, limit: int
    ) -> list[TradeRow]:
        found = await self.datafeed.trades(market, 1_000, before)
        first, end = (second * _SECOND for second in span)
        return [row for row in found if first <= row.time_us < end][:limit]


@dataclass
class FakePositions:
    """Knows the open interest of GOLD, and its funding."""

    async def open_interest(self, market: Market) -> float | None:
        return 212.5 if market.symbol == "GOLD" else None

    async def history(
        self, market: Market, interval: Interval, from_time: int, to_time: int, limit: int
    ) -> list[tuple[int, float]]:
        points = [(MINUTE_0, 200.0), (MINUTE_0 + 60, 212.5)]
        inside = [(t, v) for t, v in points if from_time <= t < to_time]
        return inside[-limit:] if market.symbol == "GOLD" else []

    async def funding(
        self, market: Market, interval: Interval, from_time: int, to_time: int, limit: int
    ) -> list[tuple[int, float]]:
        return [(MINUTE_0, 0.0001)] if market.symbol == "GOLD" else []


@dataclass
class FakeDirectory:
    """Finds by symbol, and lists in this order; remembers what was asked."""

    catalogue: Catalogue
    failure: Exception | None = None
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    @property
    def shown(self) -> int:
        return self.catalogue.shown

    async def search(self, text: str, exchange: str = "", limit: int = 30) -> list[Market]:
        if self.failure:
            raise self.failure
        self.asked.append((text, exchange, limit))
        on = exchange.upper()
        markets = [m for m in self.catalogue.visible() if on in ("", m.spec.exchange)]
        return [m for m in markets if text.upper() in m.symbol][:limit]

    async def page(self, sort: Sort, *, descending: bool, limit: int, offset: int) -> list[Market]:
        self.asked.append((sort, descending, limit, offset))
        markets = self.catalogue.visible()
        if descending and sort == "symbol":
            markets.reverse()
        if sort == "current_price":
            order = ["TINY", "GOLD"] if not descending else ["GOLD", "TINY"]
            markets.sort(key=lambda m: (*order, m.symbol).index(m.symbol))
        return markets[offset : offset + limit]


def _candles(times: Sequence[int]) -> Candles:
    count = range(len(times))
    return Candles(
        list(times),
        [10.0 + i for i in count],
        [11.0 + i for i in count],
        [9.0 + i for i in count],
        [10.5 + i for i in count],
        [1.25 for _ in count],
    )


@dataclass
class FakeIngest:
    """Keeps what is submitted."""

    failure: Exception | None = None
    submissions: list[tuple[pa.Table, tuple[MarketSpec, ...], str]] = field(default_factory=list)
    retractions: list[tuple[int, int]] = field(default_factory=list)

    async def submit(
        self, table: pa.Table, markets: Sequence[MarketSpec], source: str, *, bulk: bool = False
    ) -> Receipt:
        if self.failure:
            raise self.failure
        self.submissions.append((table, tuple(markets), source))
        return Receipt(table.num_rows, 0)

    async def retract(self, chain_id: int, from_block: int) -> tuple[Revision, ...]:
        self.retractions.append((chain_id, from_block))
        return (Revision(2, MINUTE_0, MINUTE_0 + 5),)


@dataclass
class FakeStatus:
    """Reports what it is told to."""

    ready: bool = True
    verify: Report | None = None

    async def report(self) -> StatusReport:
        state = PartState("store", "ok") if self.ready else PartState("store", "failing", "gone")
        return StatusReport(self.ready, False, 5, 1.5, 0, [state], self.verify)


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


@dataclass
class Web:
    """A running server and its fakes."""

    port: int
    app: Sanic[Any, Any]
    parts: Parts
    datafeed: FakeDatafeed
    directory: FakeDirectory
    ingest: FakeIngest
    status: FakeStatus
    pool: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(retries=False, timeout=10)
    )

    def ask(self, path: str, method: str = "GET", body: Any = None, **headers: str) -> Answer:
        url = f"http://127.0.0.1:{self.port}{path}"
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        response = self.pool.request(method, url, body=body, headers=sent, redirect=False)
        return Answer(response.status, response.headers, response.data)

    def raw(self, request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(request)
            with connection.makefile("rb") as answer:
                lines = iter(answer.readline, b"")
                head = b"".join(takewhile(lambda line: line != b"\r\n", lines))
                length = re.search(rb"content-length: ([0-9]+)", head)
                return head + answer.read(int(length[1]) if length else 0)


@contextmanager
def serving(
    archiver: Backups | None = None,
    verifier: Verifier | None = None,
    demo_source: DemoSource | None = None,
    **changes: Any,
) -> Iterator[Web]:
    """Serve the web over fakes; `changes` are settings other than a test's defaults."""
    settings = replace(Settings(api_keys=(ApiKey(KEY, "write"),), max_request_size=100_000))
    catalogue = Catalogue([GOLD, WETH, TINY])
    datafeed, ingest, status = FakeDatafeed(catalogue), FakeIngest(), FakeStatus()
    directory = FakeDirectory(catalogue)
    parts = Parts(
        settings=replace(settings, **changes),
        metrics=Metrics(),
        catalogue=catalogue,
        datafeed=datafeed,  # type: ignore[arg-type]
        pages=FakePages(datafeed),  # type: ignore[arg-type]
        positions=FakePositions(),  # type: ignore[arg-type]
        directory=directory,  # type: ignore[arg-type]
        ingest=ingest,  # type: ignore[arg-type]
        streams=None,  # type: ignore[arg-type]
        status=status,  # type: ignore[arg-type]
        backups=archiver,  # type: ignore[arg-type]
        verifier=verifier,  # type: ignore[arg-type]
        admin_token=ADMIN_TOKEN,
        instance="instance-1",
        demo=demo_source,
    )
    app = application(parts)
    with running(app) as port:
        web = Web(port, app, parts, datafeed, directory, ingest, status)
        try:
            yield web
        finally:
            web.pool.clear()


def application(parts: Parts) -> Sanic[Any, Any]:
    Sanic.test_mode = True
    app: Sanic[Any, Any] = Sanic(f"web-{next(_names)}", configure_logging=False)
    app.config.MOTD = False
    app.config.ACCESS_LOG = False
    answers.install(app, parts)
    security.install(app, parts)
    express.install(app, parts)
    for module in (udf, quotes, lightweight, positions, charts):
        app.blueprint(module.blueprint(parts))
    for module in (trades, admin, backups, verify, demo, ops, dashboard):
        app.blueprint(module.blueprint(parts))
    app.blueprint(sdk.blueprint())
    return app


@contextmanager
def running(app: Sanic[Any, Any]) -> Iterator[int]:
    """Run `app` on its own thread and loop; yield the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    loop = asyncio.new_event_loop()
    ready, done = threading.Event(), asyncio.Event()

    async def serve() -> None:
        server: Any = await app.create_server(
            sock=listener, protocol=StreamProtocol, return_asyncio_server=True
        )
        await server.startup()
        await server.before_start()
        await server.after_start()
        ready.set()
        await done.wait()
        await server.before_stop()
        server.close()
        for connection in list(server.connections):
            connection.abort()
        await asyncio.sleep(0)  # lets the transports tell their protocols
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await server.after_stop()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), name="web")
    thread.start()
    assert ready.wait(10)
    try:
        yield listener.getsockname()[1]
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(10)
        loop.close()
