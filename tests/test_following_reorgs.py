"""A real chain under reorganizations, followed by the whole appliance, watched by a subscriber."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from appliance.interval import parse
from appliance.settings import Settings
from tests import chain_oracle
from tests.anvil import Anvil, Contract, Request
from tests.following_proof import UNIT, assert_exact
from tests.following_served import Served, Subscriber, serving, subscribed
from tests.reorgs import Miner, Work, replace_blocks

MARKETS = 3
DEEPEST = 60
INTERVAL = "1m"
TRADES = (
    *(chain_oracle.OPENED, chain_oracle.CLOSED, chain_oracle.INCREASED),
    *(chain_oracle.LIQUIDATED, chain_oracle.CURVE),
)
Report = Callable[[str], None]


def world(node: Anvil) -> tuple[Contract, int]:
    """Return a factory with markets that have traded, and the block below which nothing changes."""
    token = node.deploy("TextToken", "US Dollar", "USDC", 6)
    factory = node.deploy("VammFactory", token.address)
    factory.transact("createMarkets", "M", MARKETS)
    floor = node.head
    for seed in range(DEEPEST + 40):
        factory.send("burstAll", seed, 4)
        node.mine()
    return factory, floor


def settings(node: Anvil, factory: Contract, data_dir: Path) -> Settings:
    return Settings(
        data_dir=data_dir,
        demo="off",
        ballast_size=1 << 20,
        rpc_url=(node.url,),
        ws_rpc_url=f"ws://127.0.0.1:{node.port}",
        factory_address=(factory.address,),
        preset="vamm",
        confirmation_blocks=8,
    )


@dataclass
class Storm:
    """Reorgs one after the other, each awaited by those who must see it, but for some in pairs."""

    node: Anvil
    served: Served
    subscriber: Subscriber
    work: Work
    floor: int
    random: random.Random
    depths: list[int] = field(default_factory=list)
    told: int = 0

    async def run(self, count: int) -> None:
        """Make reorgs."""
        for number in range(count):
            await self._until(lambda: self.served.tip >= self.node.head - 2)
            seen = len(self.subscriber.resets)
            wanted = await asyncio.to_thread(self._reorg, number, number % 10 == 3)
            for stream, first, last in wanted:
                await self._until(self._was_told(seen, stream, first, last))
            self.told += len(wanted)

    def _was_told(self, seen: int, stream: str, first: int, last: int) -> Callable[[], bool]:
        return lambda: any(
            (stream, "reorg") == (name, reason) and start <= first and last < end
            for name, start, end, reason in self.subscriber.resets[seen:]
        )

    async def _until(self, is_so: Callable[[], bool]) -> None:
        for _ in range(3_000):
            if is_so():
                return
            await asyncio.sleep(0.01)
        raise AssertionError((self.served.chain, self.subscriber.resets[-6:], self.depths[-3:]))

    def _reorg(self, number: int, twice: bool) -> list[tuple[str, int, int]]:
        """Replace blocks; return the stream and the buckets of what was stored of them."""
        deep = number % 6 == 5
        with self.node.lock:
            head = self.node.head
            depth = min(self.random.randint(1, DEEPEST if deep else 4), head - self.floor)
            gone = self._stored(head - depth + 1, min(head, self.served.tip))
            for _ in range(1 + twice):
                replace_blocks(self.node, depth, self.work, 7 + 1_000 * number)
                self.depths.append(depth)
                depth = min(depth, self.node.head - self.floor)
        return gone

    def _stored(self, first: int, last: int) -> list[tuple[str, int, int]]:
        if last < first:
            return []
        span = {"fromBlock": hex(first), "toBlock": hex(last), "topics": [list(TRADES)]}
        times: dict[str, list[int]] = {}
        for log in self.node.call("eth_getLogs", span):
            number = int(log["blockNumber"], 16)
            if self.served.has(number, log["blockHash"]):  # not another one of this number
                second = int(self.node.block(number)["timestamp"], 16)
                times.setdefault(log["address"], []).append(parse(INTERVAL).floor(second))
        watched = {market: stream for stream, market in self._markets().items()}
        return [(watched[m], min(t), max(t)) for m, t in times.items() if m in watched]

    def _markets(self) -> dict[str, str]:
        known = self.served.appliance.store.catalogue.all()
        return {
            f"{m.plain_symbol.lower()}@kline_{INTERVAL}": m.spec.contract for m in known[:MARKETS]
        }


async def check(count: int, node: Anvil, data_dir: Path, tell: Report) -> None:
    """Follow through `count` reorgs, and compare everything in the end."""
    factory, floor = world(node)

    def work(number: int) -> list[Request]:
        made = (
            [factory.request("createAndTrade", "NEW", UNIT, number, 5)] if number % 23 == 9 else []
        )
        return [*made, factory.request("burstAll", number, 4)]

    begun = time.monotonic()
    async with serving(settings(node, factory, data_dir)) as served:
        await served.until(lambda: bool(served.appliance.store.catalogue.all()))  # it backfills
        streams = [f"m{number}@kline_{INTERVAL}" for number in range(MARKETS)]
        async with subscribed(served, streams) as subscriber:
            weather = Storm(node, served, subscriber, work, floor, random.Random(count))
            with Miner(node, work, pause_s=0.1) as miner:
                await weather.run(count)
            node.mine()
            await served.until_on(node.block()["hash"])
            expected = chain_oracle.read(node, [factory.address])
            call = served.appliance.store.writer.call(lambda c: assert_exact(c, expected))
            trades = await asyncio.wrap_future(call)
            await settled(served, subscriber)
            assert_shown(expected, subscriber)
    assert weather.told >= count
    tell(
        f"{len(weather.depths)} reorgs, to a depth of {max(weather.depths)}, beside {miner.mined} "
        f"mined blocks, in {time.monotonic() - begun:.0f} s"
    )
    tell(
        f"  {trades:,} trades of {len(expected.markets)} markets, and candles of all stored "
        "intervals, equal the final chain"
    )
    tell(
        f"  {weather.told} times a market lost stored trades, and the subscriber was told each "
        f"time; {subscriber.revised:,} bars revised; every bar shown equals the store's"
    )


async def settled(served: Served, subscriber: Subscriber) -> None:
    """Wait until nothing more is told."""
    seen = -1
    while seen != subscriber.events:
        seen = subscriber.events
        await asyncio.sleep(1.0)
    assert served.appliance.streams.live.error is None


def assert_shown(expected: chain_oracle.Expected, subscriber: Subscriber) -> None:
    """The last bar told of each bucket is that of the final chain, and the newest is there."""
    for number in range(MARKETS):
        market = expected.symbol(f"M{number}").address
        candles = {c.time: c for c in expected.candles(market, parse(INTERVAL))}
        bars = subscriber.bars[f"m{number}@kline_{INTERVAL}"]
        assert max(candles) in bars
        for start, bar in bars.items():
            stored = shown(candles.get(start))
            if stored is not None and not bar["x"]:  # its sums may miss the last digit until then
                volumes = (pytest.approx(volume, rel=1e-12) for volume in stored[4:6])
                stored = (*stored[:4], *volumes, stored[6])
            assert stored == shown_bar(bar), (number, start, bar)


def shown(candle: Any) -> Any:
    if candle is None:
        return None
    prices = candle.open, candle.high, candle.low, candle.close
    return (*prices, float(candle.volume), float(candle.buy_volume), candle.trades)


def shown_bar(bar: dict[str, Any]) -> Any:
    return (*(float(bar[key]) for key in "ohlcvV"), bar["n"])


async def test_few_reorgs(anvil: Anvil, tmp_path: Path, quiet: Report) -> None:
    """The short form of the next."""
    await check(25, anvil, tmp_path / "data", quiet)


@pytest.mark.fault
async def test_reorgs(anvil: Anvil, tmp_path: Path, report: Report) -> None:
    """Trades, candles and what a subscriber shows equal the final chain."""
    await check(220, anvil, tmp_path / "data", report)
