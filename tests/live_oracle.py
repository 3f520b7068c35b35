"""Candles in plain Python, and a store in memory that answers with them and commits in steps."""

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pyarrow as pa
from hypothesis import strategies as st

from appliance.datafeed import History, Snapshot
from appliance.interval import Interval
from appliance.metrics import Metrics
from appliance.model import (
    UNIT,
    Candles,
    Commit,
    Market,
    MarketId,
    MarketSpec,
    Reason,
    Revision,
    scaled,
    trade_table,
)
from appliance.statistics.windows import Window
from appliance.store.catalogue import Catalogue
from appliance.streaming.hub import Hub
from appliance.streaming.live import Live
from appliance.streaming.message import Event
from appliance.streaming.streams import Streams
from appliance.streaming.tickers import Tickers

NOON = 1_750_000_000 // 86_400 * 86_400 + 43_200
GOLD = Market(MarketId(1), MarketSpec("GOLD", quote="USD"))
WETH = Market(MarketId(2), MarketSpec("WETH/USDC", chain_id=1, contract="0xaa", order="chain"))
FAKE = Market(MarketId(3), MarketSpec("FAKE", exchange="DEMO", chain_id=1, order="chain"))
MARKETS = (GOLD, WETH, FAKE)


@dataclass(frozen=True)
class Deal:
    """One trade or mark; `size` is counted in 10^-18."""

    sequence: int
    time: int
    price: float | None
    size: int = UNIT
    side: str = "buy"
    kind: str = "trade"
    tie: int = 0
    market: Market = GOLD
    paid: float | None = None


def deal(second: float, price: float | None, sequence: int | None = None, **more: Any) -> Deal:
    """Return a trade at `NOON` + second; its sequence is its time unless given."""
    micro = int((NOON + second) * 1_000_000)
    return Deal(micro if sequence is None else sequence, micro, price, **more)


def table(deals: Sequence[Deal]) -> pa.Table:
    """Return the trades as a commit carries them."""
    return trade_table(
        len(deals),
        market_id=[d.market.id for d in deals],
        time=pa.array([d.time for d in deals], pa.timestamp("us", "UTC")),
        sequence=[d.sequence for d in deals],
        tie=[d.tie for d in deals],
        price=[d.price for d in deals],
        execution_price=[d.paid for d in deals],
        base_volume=scaled(d.size for d in deals),
        quote_volume=scaled(2 * d.size for d in deals),
        side=[d.side for d in deals],
        kind=[d.kind for d in deals],
    )


def candles(deals: Iterable[Deal], interval: Interval) -> Candles:
    """Return the candles of one market, as slowly and plainly as possible."""
    buckets: dict[int, list[Deal]] = {}
    for d in sorted(deals, key=lambda d: (d.sequence, d.tie)):
        buckets.setdefault(interval.floor(d.time // 1_000_000), []).append(d)
    found = Candles()
    close: float | None = None
    for start in sorted(buckets):
        held = buckets[start]
        prices: list[float | None] = [d.price for d in held if d.price is not None]
        prices = prices or [close]
        close = prices[-1]
        if close is not None:
            _append(found, start, prices, held)
    return found


def _append(found: Candles, start: int, prices: list[Any], held: list[Deal]) -> None:
    real = [d for d in held if d.kind != "mark"]
    bought = [d for d in real if d.side == "buy"]
    sizes = [sum(d.size for d in real), sum(d.size for d in bought)]
    row = (
        *(start, prices[0], max(prices), min(prices), prices[-1]),
        *(sizes[0] / UNIT, 2 * sizes[0] / UNIT),
        *(sizes[1] / UNIT, 2 * sizes[1] / UNIT),
        *(len(real), min(d.sequence for d in held), max(d.sequence for d in held)),
    )
    for name, value in zip(Candles.__slots__, row, strict=True):
        getattr(found, name).append(value)


@dataclass
class FakeStore:
    """Commits at once, tells subscribers later, and answers like the datafeed."""

    catalogue: Catalogue = field(default_factory=lambda: Catalogue(MARKETS))
    deals: list[Deal] = field(default_factory=list)
    commits: int = 0
    told: int = 0
    queue: list[Commit] = field(default_factory=list)
    failures: int = 0
    reads: int = 0
    turns: int = 1

    def commit(self, *deals: Deal, bulk: bool = False) -> None:
        self.deals += deals
        self.commits += 1
        markets = tuple({d.market.id: d.market for d in deals}.values())
        self.queue.append(Commit(self.commits, table(deals), markets, bulk=bulk))

    def retract(self, market: Market, sequence: int, reason: Reason = "reorg") -> None:
        """Take away a market's trades from `sequence` on, and commit that."""
        gone = [d for d in self.of(market) if d.sequence >= sequence]
        self.deals = [d for d in self.deals if d not in gone]
        if gone:
            seconds = [d.time // 1_000_000 for d in gone]
            self.revise(Revision(market.id, min(seconds), max(seconds), reason), market)

    def revise(self, revision: Revision, *markets: Market) -> None:
        self.commits += 1
        self.queue.append(Commit(self.commits, table([]), markets, (revision,)))

    def of(self, market: Market) -> list[Deal]:
        return [d for d in self.deals if d.market.id == market.id]

    async def _answer(self) -> None:
        self.reads += 1
        for _ in range(self.turns):
            await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise OSError("the store is away")

    async def snapshot(self, market: Market, interval: Interval, count: int = 2) -> Snapshot:
        await self._answer()
        answer = Snapshot(self.commits, _last(candles(self.of(market), interval), count))
        for _ in range(self.turns):
            await asyncio.sleep(0)
        return answer

    async def candles(
        self,
        market: Market,
        interval: Interval,
        from_time: int | None,
        to_time: int,
        countback: int = 0,
        limit: int = 10_000,
    ) -> History:
        await self._answer()
        every = candles(self.of(market), interval)
        inside = [i for i, t in enumerate(every.time) if (from_time or 0) <= t < to_time]
        columns = ([getattr(every, name)[i] for i in inside] for name in Candles.__slots__)
        return History(_last(Candles(*columns), limit))


def _last(every: Candles, count: int) -> Candles:
    return Candles(*(getattr(every, name)[-count:] for name in Candles.__slots__))


class Wire:
    """A sink that remembers what was written."""

    def __init__(self) -> None:
        self.heard_at = math.inf
        self.is_writable = True
        self.data = b""
        self.writes = self.beats = 0
        self.ends: list[tuple[int, str]] = []

    def write(self, data: bytes) -> None:
        assert data
        self.data += data
        self.writes += 1

    def beat(self) -> None:
        self.beats += 1

    def end(self, code: int, reason: str) -> None:
        self.ends.append((code, reason))

    def taken(self) -> list[bytes]:
        data, self.data = self.data, b""
        return unframed(data)


class Eager(Hub):
    """Writes everything as it comes, so that no state is replaced by a newer one."""

    def publish(self, name: str, events: Iterable[Event]) -> None:
        super().publish(name, events)
        self.flush()


class NothingLately:
    """Windows in which nobody trades."""

    async def day(self, _: Sequence[Market]) -> dict[int, Window]:
        return {}

    async def rolling(self, _: Sequence[Market], __: int) -> dict[int, Window]:
        return {}

    def span_ms(self, minutes: int) -> tuple[int, int]:
        return (0, minutes * 60_000)


def streams_of(
    past: Any, hub: Hub, clock: Callable[[], float] = time.time, grace_ms: int = 1_000
) -> Streams:
    """Return all streams over a past, in which nobody watches tickers."""
    tickers = Tickers(NothingLately(), past.catalogue, hub, clock)
    return Streams(past.catalogue, hub, Live(past, hub, grace_ms, clock), tickers)


class World:
    """A live part over a fake store, one client, and a clock that is set by hand."""

    def __init__(self, grace_ms: int = 1_000) -> None:
        self.now = float(NOON)
        self.store = FakeStore()
        self.hub = Eager(Metrics(), monotonic=lambda: self.now)
        self.live = streams_of(self.store, self.hub, lambda: self.now, grace_ms).live
        self.wire = Wire()
        self.client = self.hub.connect(self.wire)
        self.events: dict[str, list[Any]] = {}
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "World":
        self._task = asyncio.create_task(self.live.run())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])

    async def watch(self, *topics: str) -> None:
        for topic in topics:
            self.hub.subscribe(self.client, topic)
        await self.settle()

    def stored(self, *deals: Deal) -> None:
        """Commit trades that live was told of before anybody watched."""
        self.store.commit(*deals)
        self.tell()

    async def add(self, *deals: Deal, bulk: bool = False) -> None:
        """Commit trades, tell live, and let it work."""
        self.store.commit(*deals, bulk=bulk)
        self.tell()
        await self.settle()

    def tell(self, count: int = 1_000) -> None:
        """Hand over the next commits."""
        while self.store.queue and count:
            self.live.on_commit(self.store.queue.pop(0))
            count -= 1

    async def turn(self, count: int = 1) -> None:
        for _ in range(count):
            await asyncio.sleep(0)

    async def settle(self) -> None:
        """Let readers finish; the fake store answers within a few turns of the loop."""
        for _ in range(40):
            await self.turn(10)
            if not any(s.dirty for s in self.live._series.values()):
                break
        await self.collect()

    async def at(self, second: float) -> None:
        """Set the clock and let it tick."""
        self.now = NOON + second
        self.live.tick()
        await self.settle()

    async def collect(self) -> None:
        self.hub.flush()
        for text in self.wire.taken():
            event = msgspec.json.decode(text)
            self.events.setdefault(_topic(event), []).append(event)

    def bars(self, topic: str) -> list[tuple[int, str, bool]]:
        """Return (second after NOON, close, closed) of the klines of a topic."""
        events = (event["k"] for event in self.events.get(topic, []) if event["e"] == "kline")
        return [(k["t"] // 1000 - NOON, k["c"], k["x"]) for k in events]


@dataclass
class Pen:
    """Writes trades: mostly the next one, sometimes one that comes late or at the same place."""

    draw: st.DrawFn
    market: Market
    quarters: int = 0
    sequence: int = 1

    def write(self) -> Deal:
        draw = self.draw
        step = draw(st.sampled_from([0, 0, 0, 0, 1, 3, 20, 300, -1, -4, -50]))
        quarters = max(self.quarters + step, 0)
        sequence = max(self.sequence + draw(st.sampled_from([0, 1, 1, 1, 1, 1, -1, -5])), 1)
        self.quarters = max(quarters, self.quarters)
        self.sequence = max(sequence, self.sequence)
        price = draw(st.sampled_from([None, 1.0, 2.0, 3.0, 4.0, 5.0]))
        mark = draw(st.integers(0, 5)) == 0
        return deal(
            quarters / 4,
            price,
            None if self.market is GOLD else sequence,
            market=self.market,
            size=0 if mark else draw(st.integers(0, 9)) * UNIT // 4,
            side=draw(st.sampled_from(["buy", "sell", ""])),
            tie=draw(st.integers(0, 3)),
            kind="mark" if mark else "trade",
        )


def _topic(event: Any) -> str:
    kind = "trade" if event["e"] == "trade" else f"kline_{event.get('i') or event['k']['i']}"
    return f"{event['s'].lower()}@{kind}"


def unframed(data: bytes) -> list[bytes]:
    """Return the payloads of joined text frames."""
    texts = []
    while data:
        assert data[0] == 0x81
        size, at = data[1], 2
        if size == 126:
            size, at = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, at = int.from_bytes(data[2:10], "big"), 10
        texts.append(data[at : at + size])
        data = data[at + size :]
    return texts
