"""Events per second from a real node: what the node, the fetching and the decoding take of it.

anvil makes 200,000 events of 20 vAMM markets in 910 blocks, a few seconds' work, so they are not
kept. The follower then reads them from the factory to candles (`whole`: node, follower and store on
the same cores), and each part is measured by itself; its share is of the whole's time.
"""

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from appliance.chain.decode import Decoder
from appliance.chain.log import Logs
from appliance.chain.market import ContractMarket
from appliance.chain.preset import built_in
from appliance.following.chains import configured
from appliance.following.source import Around, ChainSource
from appliance.ingest import Ingest
from appliance.metrics import Metrics
from appliance.model import MarketSpec
from appliance.rpc.records import LogRecord, read_logs
from appliance.running import prepare
from appliance.settings import Settings
from appliance.store.store import Store
from tests.anvil import CHAIN_ID, Anvil, Contract, missing_reason, start

MARKETS: Final = 20
EVENTS_A_BLOCK: Final = 220  # 11 of each market
BLOCKS: Final = 910
EVENTS: Final = BLOCKS * EVENTS_A_BLOCK
RANGE: Final = 20
"""Blocks asked for at once: 4,400 logs, as much as most providers answer."""
_T = TypeVar("_T")


def run(folder: Path) -> None:
    """Print a line for each part."""
    reason = missing_reason()
    if reason:
        print(reason)
        return
    with start() as node:
        print(f"{'part':<10} {'s':>6} {'events/s':>9} {'own CPU s':>10} {'node CPU s':>10}")
        factory, markets = _markets(node)
        first = node.head + 1
        _timed("generate", node, lambda: generate(factory))
        _timed("whole", node, lambda: follow(node, factory.address, folder))
        answers = _timed("node", node, lambda: _fetch(node, first))
        found = _timed("read", node, lambda: [log for raw in answers for log in read(raw)])
        decoder = Decoder(CHAIN_ID, markets)
        slices = _slices(found)
        tables = _timed("decode", node, lambda: [decoder.decode(logs) for logs in slices])
        counts = sum(d.counts.decoded for d in tables), sum(d.counts.malformed for d in tables)
        if (len(found), *counts) != (EVENTS, EVENTS, 0):
            raise RuntimeError(
                f"{len(found)} logs of {EVENTS} came, decoded and malformed {counts}"
            )


def _markets(node: Anvil) -> tuple[Contract, list[ContractMarket]]:
    token = node.deploy("TextToken", "US Dollar", "USDC", 6)
    factory = node.deploy("VammFactory", token.address)
    created = factory.transact("createMarkets", "M", MARKETS)
    addresses = ["0x" + log["topics"][2][-40:] for log in created]
    return factory, [_market(address) for address in addresses]


def _market(address: str) -> ContractMarket:
    spec = MarketSpec(address, chain_id=CHAIN_ID, contract=address, order="chain")
    return ContractMarket(address, spec, built_in("vamm"))


def generate(factory: Contract) -> None:
    """Mine EVENTS events of all markets, in BLOCKS blocks."""
    share = EVENTS_A_BLOCK // MARKETS
    factory.node.mine_each(factory.request("burstAll", seed, share) for seed in range(BLOCKS))


def follow(node: Anvil, factory: str, folder: Path) -> None:
    """Follow the chain to its head, with a store of its own."""
    settings = Settings(
        data_dir=folder / "follow", rpc_url=(node.url,), factory_address=(factory,), demo="off"
    )
    prepare(settings.data_dir)
    asyncio.run(_followed(settings, node.head))


async def _followed(settings: Settings, head: int) -> None:
    metrics = Metrics()
    ingest = Ingest(metrics)
    store = Store(settings, metrics, ingest.publish)
    store.open()
    try:
        ingest.open(store.writer)
        around = Around(settings, store, ingest, metrics, lambda *_: None)
        source = ChainSource(configured(settings)[0], around)
        source.start()
        while (state := source.state()).state != "live" or state.numbers["block"] < head:
            if state.state == "failing":
                raise RuntimeError(state.reason)
            await asyncio.sleep(0.01)
        await source.stop()
        if metrics.chain_logs.labels(source.name, "decoded")._value.get() < EVENTS:
            raise RuntimeError("not every event was decoded")
    finally:
        store.close()


def _fetch(node: Anvil, first: int) -> list[bytes]:
    return [_answer(node, at) for at in range(first, first + BLOCKS, RANGE)]


def _answer(node: Anvil, first: int) -> bytes:
    span = {"fromBlock": hex(first), "toBlock": hex(first + RANGE - 1)}
    asked = {"jsonrpc": "2.0", "id": 1, "method": "eth_getLogs", "params": [span]}
    return node.post(json.dumps(asked))


class _Answer(msgspec.Struct):
    result: msgspec.Raw


def read(answer: bytes) -> list[LogRecord]:
    """Return the logs of one answer."""
    return read_logs(msgspec.json.decode(answer, type=_Answer).result)


def _slices(found: list[LogRecord]) -> list[Logs]:
    size = RANGE * EVENTS_A_BLOCK
    return [_logs(found[at : at + size]) for at in range(0, len(found), size)]


def _logs(found: list[LogRecord]) -> Logs:
    return Logs(
        [log.block_number for log in found],
        [(log.block_time or 0) * 1_000_000 for log in found],
        [log.transaction_hash for log in found],
        [log.log_index for log in found],
        [log.address for log in found],
        [log.topics for log in found],
        [log.data for log in found],
    )


def _timed(part: str, node: Anvil, work: Callable[[], _T]) -> _T:
    begun, own, used = time.perf_counter(), time.process_time(), node_cpu_s(node)
    result = work()
    took, cpu = time.perf_counter() - begun, node_cpu_s(node) - used
    own = time.process_time() - own
    print(f"{part:<10} {took:>6.2f} {EVENTS / took:>9,.0f} {own:>10.2f} {cpu:>10.2f}")
    return result


def node_cpu_s(node: Anvil) -> float:
    """Return the seconds of CPU that the node has used."""
    fields: list[Any] = Path(f"/proc/{node.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
