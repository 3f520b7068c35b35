"""Tickers: what the REST answers say, told when it changes."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from appliance.datafeed import Datafeed
from appliance.errors import Retryable
from appliance.metrics import Metrics
from appliance.model import Market, Revision
from appliance.statistics.windows import Window, Windows
from appliance.streaming.hub import Hub
from appliance.streaming.live import Live
from appliance.streaming.message import Form
from appliance.streaming.streams import Streams
from appliance.streaming.tickers import Tickers
from tests.binance_world import GOLD, POOL, PRICELESS, TINY, World, ago, serving, store
from tests.conftest import NOW, Opened
from tests.live_oracle import Wire
from tests.oracle import T, table

UNIT = 10**18
EVENT_OF_ROW = {
    "s": "symbol",
    "p": "priceChange",
    "P": "priceChangePercent",
    "w": "weightedAvgPrice",
    "c": "lastPrice",
    "o": "openPrice",
    "h": "highPrice",
    "l": "lowPrice",
    "v": "volume",
    "q": "quoteVolume",
    "b": "bidPrice",
    "B": "bidQty",
    "a": "askPrice",
    "A": "askQty",
    "O": "openTime",
    "C": "closeTime",
    "F": "firstId",
    "L": "lastId",
    "n": "count",
}


@dataclass
class Watching:
    """Tickers over a store, at the clock of its REST answers, and one client."""

    opened: Opened
    world: World
    form: Form = Form.RAW

    def __post_init__(self) -> None:
        self.now = NOW + 0.25
        opened, catalogue = self.opened, self.opened.store.catalogue
        self.datafeed = Datafeed(
            *(opened.store.reader, opened.store.writer, catalogue, Metrics()),
            clock=lambda: self.now,
        )
        windows = Windows(self.datafeed.summaries, opened.store.reader, lambda: self.now)
        self.hub = Hub(Metrics())
        self.tickers = Tickers(windows, catalogue, self.hub, lambda: self.now)
        live = Live(self.datafeed, self.hub)
        self.streams = Streams(catalogue, self.hub, live, self.tickers)
        self.wire = Wire()
        self.client = self.hub.connect(self.wire, self.form)

    def watch(self, *topics: str) -> None:
        for topic in topics:
            self.hub.subscribe(self.client, topic)

    def trade(self, market: Market, *trades: T) -> None:
        """Store trades, and tell everybody."""
        self.opened.store.writer.submit(table(list(trades)), (market.spec,)).result(30)
        self.datafeed.on_commit(self.opened.commits[-1])
        self.streams.on_commit(self.opened.commits[-1])

    async def told(self) -> list[Any]:
        await self.tickers.tick()
        self.now += 1.001
        self.hub.flush()
        return [msgspec.json.decode(text) for text in self.wire.taken()]


@pytest.fixture
def world(opened: Opened) -> Any:
    gold = [T(ago(7_300), 104.5, UNIT // 2, "buy", "c"), T(ago(130), 101.0, 3 * UNIT, "", "e")]
    store(opened, GOLD, gold)
    store(opened, POOL, [T(ago(20), 2_500.5, UNIT, "buy", block=105, log_index=1)])
    store(opened, TINY, [T(ago(9 * 86_400), 0.00000123, 10**12 * UNIT, "buy", "t")])
    store(opened, PRICELESS, [T(ago(60), None, UNIT, "buy", "p")])
    with serving(opened) as world:
        yield world


def as_rest(event: dict[str, Any], names: dict[str, str] = EVENT_OF_ROW) -> dict[str, Any]:
    return {names[key]: value for key, value in event.items() if key in names}


async def test_tickers_say_what_the_rest_answers_say(opened: Opened, world: World) -> None:
    """Each number of each market: one that trades, one that rests, one that never had a price."""
    watching = Watching(opened, world)
    symbols = ["gold", "wethusdc", "tiny"]
    watching.watch(*(f"{symbol}@ticker" for symbol in [*symbols, "priceless"]))
    told = {event["s"]: event for event in await watching.told()}
    assert set(told) == {symbol.upper() for symbol in symbols}
    for symbol, event in told.items():
        assert (event["e"], event["E"]) == ("24hrTicker", event["C"])
        assert as_rest(event) == world.ask("/api/v3/ticker/24hr", symbol=symbol).json


async def test_short_and_windowed_tickers_too(opened: Opened, world: World) -> None:
    watching = Watching(opened, world)
    watching.watch("gold@miniTicker", "gold@ticker_1h", "tiny@ticker_4h", "gold@ticker_1d")
    told = {event["e"]: event for event in await watching.told()}
    mini = world.ask("/api/v3/ticker/24hr", symbol="GOLD", type="MINI").json
    names = {key: EVENT_OF_ROW[key] for key in "scohlvq"}
    shared = {key: mini[key] for key in names.values()}
    assert as_rest(told["24hrMiniTicker"], names) == shared
    for name, symbol in (("1h", "GOLD"), ("4h", "TINY"), ("1d", "GOLD")):
        row = world.ask("/api/v3/ticker", symbol=symbol, windowSize=name).json
        assert as_rest(told[f"{name}Ticker"]) == row


async def test_a_ticker_is_told_again_when_it_changed_only(opened: Opened, world: World) -> None:
    watching = Watching(opened, world)
    watching.watch("gold@miniTicker", "wethusdc@miniTicker")
    assert len(await watching.told()) == 2
    assert await watching.told() == []
    watching.trade(world.market("GOLD"), T(ago(1), 99.0, UNIT, "sell", "x"))
    (event,) = await watching.told()
    assert (event["s"], event["c"], event["l"]) == ("GOLD", "99", "99")
    watching.now += 86_400
    assert {event["s"]: event["v"] for event in await watching.told()} == {
        "GOLD": "0",
        "WETHUSDC": "0",
    }


async def test_the_stream_of_all_holds_those_that_changed(opened: Opened, world: World) -> None:
    watching = Watching(opened, world, Form.EXTENDED)
    watching.watch("!miniTicker@arr")
    (first,) = await watching.told()
    assert [event["s"] for event in first] == ["GOLD", "TINY", "WETHUSDC"]
    assert {event["u"] for event in first} == {2}
    watching.trade(world.market("GOLD"), T(ago(1), 99.0, UNIT, "sell", "x"))
    ((event,),) = await watching.told()
    assert (event["s"], event["c"], event["u"]) == ("GOLD", "99", 3)
    (state,) = watching.streams.newest("!miniTicker@arr")
    closes = {event["s"]: event["c"] for event in msgspec.json.decode(state.payload)}
    assert closes == {"GOLD": "99", "TINY": "0.00000123", "WETHUSDC": "2500.5"}


async def test_a_revision_is_read_again(opened: Opened, world: World) -> None:
    watching = Watching(opened, world)
    watching.watch("gold@miniTicker")
    assert len(await watching.told()) == 1
    assert await watching.told() == []
    ticker = watching.tickers._tickers["gold@miniTicker"]
    ticker.window = Window(close=1.0)  # as it would be known before a repair
    assert await watching.told() == []
    commit = opened.commits[-1]
    revision = Revision(world.market("GOLD").id, NOW, NOW, "repair")
    watching.tickers.on_commit(type(commit)(99, commit.trades.slice(0, 0), (), (revision,)))
    assert [event["c"] for event in await watching.told()] == ["101"]


async def test_a_failing_store_is_shown_and_asked_again(
    opened: Opened,
    world: World,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watching = Watching(opened, world)
    watching.watch("gold@miniTicker")
    with monkeypatch.context() as patch, caplog.at_level(logging.CRITICAL):
        patch.setattr(opened.store.reader, "query", _away)
        await watching.told()
        assert watching.streams.state() == ("failing", "reading tickers failed: away")
    assert [event["c"] for event in await watching.told()] == ["101"]
    assert watching.tickers.error is None


async def _away(*_: object, **__: object) -> Any:
    raise Retryable("away")


async def test_a_dead_task_is_shown(
    opened: Opened,
    world: World,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watching = Watching(opened, world)
    watching.watch("gold@miniTicker")
    monkeypatch.setattr(watching.tickers, "tick", _broken)
    with caplog.at_level(logging.CRITICAL), pytest.raises(ExceptionGroup):
        await asyncio.wait_for(watching.streams.run(), 5)
    state, reason = watching.streams.state()
    assert (state, "ZeroDivisionError" in (reason or "")) == ("failing", True)


async def _broken() -> None:
    raise ZeroDivisionError
