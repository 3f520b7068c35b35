"""A store with a cached datafeed beside an uncached one, and the answers of plain Python."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from appliance.cache.cache import cache_of
from appliance.chunks import book, chunk, fill, read, strip
from appliance.chunks.book import Chunks
from appliance.datafeed import Datafeed, History
from appliance.ingest import Ingest
from appliance.interval import Interval, parse, stored_divisor
from appliance.metrics import Metrics
from appliance.model import Candles, Market, MarketSpec
from appliance.settings import Settings
from appliance.store.limits import candles_from
from appliance.store.store import Store
from tests.conftest import NOW
from tests.oracle import T, candles, table

INTERVALS = [*map(parse, ["1s", "1m", "5m", "1h", "1d", "7m", "90s", "7h", "1w", "1M"])]
CHAIN = 7


def small(monkeypatch: pytest.MonkeyPatch, rows: int = 8) -> None:
    """Make chunks so small that few candles fill many."""
    for module in (chunk, fill, read, strip, book):
        monkeypatch.setattr(module, "ROWS", rows)
    monkeypatch.setattr(fill, "_SPARE", 2 * rows + 1)
    monkeypatch.setattr(strip, "_TAIL_ROWS", 2 * rows)


@dataclass
class World:
    """One market of a store, its trades, and both datafeeds."""

    store: Store
    ingest: Ingest
    cached: Datafeed
    direct: Datafeed
    metrics: Metrics
    spec: MarketSpec
    choose: random.Random
    trades: list[T] = field(default_factory=list)
    kept_from: dict[int, int] = field(default_factory=dict)
    block: int = 10_000
    late: int = 0
    time_us: int = (NOW - 3 * 86_400) * 10**6

    @property
    def market(self) -> Market:
        return self.store.catalogue.resolve(self.spec.symbol)

    @property
    def by_chain(self) -> bool:
        return self.spec.order == "chain"

    async def submit(self, trades: list[T], *, bulk: bool = False) -> None:
        if trades:
            known = set(self.trades)
            self.trades += [t for t in trades if t not in known]
            await self.ingest.submit(table(trades), [self.spec], "test", bulk=bulk)

    def next_trade(self, gap_s: float = 20) -> T:
        """Return a trade after all others."""
        self.time_us = min(
            self.time_us + int(self.choose.expovariate(1 / gap_s) * 10**6) + 1, NOW * 10**6
        )
        self.block += 1
        return self.trade(self.time_us, self.block)

    def trade(self, time_us: int, block: int) -> T:
        price = self.choose.choice([None, 1e16, 3.0, *(self.choose.lognormvariate(0, 1),) * 5])
        place = {"block": block, "log_index": self.choose.randrange(9)} if self.by_chain else {}
        kind = self.choose.choice(["trade", "trade", "mark", "liquidation"])
        size = self.choose.choice([1, 10**18, 3 * 10**29 + 1, 7 * 10**17])
        return T(
            *(time_us, price, 0 if kind == "mark" else size),
            side=self.choose.choice(["buy", "sell", ""]),
            trade_id="" if self.by_chain else str(self.choose.getrandbits(60)),
            kind=kind,
            **place,
        )

    def late_trade(self) -> T:
        """Return a trade somewhere among the others, or before them."""
        where = self.choose.choice(self.trades)
        time_us = where.time_us - self.choose.choice([0, 1, 59, 4_000, 90_000]) * 10**6
        block = where.block - (where.time_us - time_us) // 10**6
        self.late += 1
        late = replace(self.trade(time_us, max(1, block)), log_index=500 + self.late)
        return late if self.by_chain else replace(late, log_index=0)

    async def retract(self) -> None:
        """Take away the newest blocks."""
        block = self.choose.choice(self.trades[-30:]).block
        await self.ingest.retract(CHAIN, block)
        self.trades = [t for t in self.trades if t.block < block]

    async def prune(self) -> None:
        """Do what the caretaker does once a day."""
        await asyncio.wrap_future(self.store.prune(NOW))
        kept = await asyncio.wrap_future(self.store.writer.call(candles_from))
        self.cached.pruned(kept)
        self.kept_from = kept

    def expected(self, interval: Interval) -> Candles:
        """Return all candles of the market, as charts are sent them."""
        limit = self.kept_from.get(stored_divisor(interval).seconds, 0)
        found, close = Candles(), None
        for c in candles((t for t in self.trades if t.time_us >= limit * 10**6), interval):
            prices: list[Any] = [c.open, c.high, c.low, c.close]
            prices = [close] * 4 if c.close is None else prices
            close = prices[-1]
            if close is not None:
                values = (c.time, *prices, float(c.volume), float(2 * c.volume))
                for name, value in zip(Candles.__slots__, values, strict=False):
                    getattr(found, name).append(value)
                found.buy_volume.append(float(c.buy_volume))
                found.trades.append(c.trades)
        return found

    def question(self) -> tuple[Any, ...]:
        """Return a question as a widget, a bot or a fool asks it."""
        interval = self.choose.choice(INTERVALS)
        times = [t.time_us // 10**6 for t in self.trades] or [NOW]
        to = self.choose.choice(
            [NOW + 1, 4_000_000_000, self.choose.choice(times), max(times) + 1, min(times)]
        ) + self.choose.randrange(-200, 200)
        bars = self.choose.choice([0, 1, 2, 5, 20, 60])
        back = bars * interval.seconds + self.choose.randrange(300)
        from_time = self.choose.choice([None, to, to - back, to - back, 0])
        count = self.choose.choice([0, 0, 2, bars, bars, 1_000])
        limit = self.choose.choice([10_000, 10_000, 7, 1])
        return interval, from_time, to, count, limit, self.choose.random() < 0.3

    async def check(self, question: tuple[Any, ...]) -> None:
        """Compare the cached answer with the store's and with that of plain Python."""
        interval, from_time, to, count, limit, older = question
        asked = (interval, from_time, to, count, limit)
        cached = await self.cached.candles(self.market, *asked, older=older)
        direct = await self.direct.candles(self.market, *asked, older=older)
        assert direct.candles == cached.candles, (question, differing(direct, cached))
        _check_expected(self.expected(interval), cached, question)
        _check_texts(cached)


def differing(one: History, other: History) -> dict[str, Any]:
    """Return the columns in which two answers differ."""
    pairs = {n: (getattr(one.candles, n), getattr(other.candles, n)) for n in Candles.__slots__}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _check_expected(every: Candles, found: History, question: tuple[Any, ...]) -> None:
    _, from_time, to, count, limit, older = question
    below = [i for i, t in enumerate(every.time) if t < to]
    inside = [i for i in below if from_time is not None and every.time[i] >= from_time]
    kept = below[len(below) - min(limit, max(len(inside), min(count, limit)), len(below)) :]
    for name in ("time", "open", "high", "low", "close", "volume", "quote_volume", "buy_volume"):
        expected = [getattr(every, name)[i] for i in kept]
        assert expected == getattr(found.candles, name), (name, question)
    assert [every.trades[i] for i in kept] == found.candles.trades
    before = below[: len(below) - len(kept)]
    if older or not kept:
        assert (every.time[before[-1]] if before else None) == found.older, question


def _check_texts(found: History) -> None:
    """Compare the text with the numbers."""
    if not found.pieces:
        return
    columns = [getattr(found.candles, name) for name in Candles.__slots__[:6]]
    texts = list(found.pieces.texts())
    assert columns == [msgspec.json.decode(b"[" + text + b"]") for text in texts]


def chunks_of(it: World) -> Chunks:
    """Return the chunks that the cached datafeed answers from."""
    chunks = it.cached._chunks
    assert chunks is not None
    return chunks


@asynccontextmanager
async def world(
    folder: Path, seed: int, spec: MarketSpec, *, open_disk: bool = True, **changes: Any
) -> AsyncIterator[World]:
    """Open a store in a folder, with both datafeeds; close it as the appliance does."""
    settings = replace(Settings(data_dir=folder), **changes)
    metrics = Metrics()
    ingest = Ingest(metrics)
    store = Store(settings, metrics, ingest.publish)
    store.open()
    parts = store.reader, store.writer, store.catalogue, metrics
    cached = Datafeed(*parts, clock=lambda: NOW, cache=cache_of(settings, metrics))
    direct = Datafeed(*parts, clock=lambda: NOW)
    ingest.open(store.writer)
    ingest.subscribe(cached.on_commit)
    try:
        if open_disk:
            await cached.open()
        yield World(store, ingest, cached, direct, metrics, spec, random.Random(seed))
        await cached.close()
    finally:
        store.close()


def queries(metrics: Metrics) -> int:
    """Return how many queries the store has answered."""
    found = 0
    for metric in metrics.query_seconds.collect():
        found += sum(int(s.value) for s in metric.samples if s.name.endswith("_count"))
    return found
