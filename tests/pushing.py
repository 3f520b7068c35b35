"""Events as callers push them, made beside the logs that a chain would hold, and who takes them."""

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import sanic
from sanic import Sanic

from appliance.chain.decode import Decoder
from appliance.chain.log import Log, Logs
from appliance.chain.market import ContractMarket
from appliance.chain.preset import built_in
from appliance.following.presets import Presets
from appliance.following.terms import ChainTerms, ContractTerms
from appliance.ingest import Ingest
from appliance.metrics import Metrics
from appliance.model import Commit, MarketSpec
from appliance.pushed.book import Book, Source
from appliance.pushed.service import Pushed
from appliance.settings import ApiKey, Settings
from appliance.store.store import Store
from appliance.web import answers, events, security, webhooks
from appliance.web.parts import Parts
from tests.chain_logs import ALICE, BOB, ETHER, VAMM, made
from tests.conftest import NOW, Opened
from tests.web_server import ADMIN_TOKEN, KEY, Web, running

SECRET = "signing-key-0123456789"
OTHER = "0x00000000000000000000000000000000000000bb"
PAIR = "0x00000000000000000000000000000000000000cc"
Event = dict[str, Any]


def terms(
    *contracts: ContractTerms, chain_id: int | None = None, urls: tuple[str, ...] = ()
) -> ChainTerms:
    """Return a chain whose events are pushed, or with `urls` followed."""
    return ChainTerms(urls, "", None, None, contracts, "test", chain_id)


def vamm_terms(symbol: str = "GOLD", address: str = VAMM) -> ContractTerms:
    return ContractTerms(address, built_in("vamm"), symbol=symbol)


@dataclass
class FakeSource:
    """A chain that is followed; counts how often it was woken."""

    addresses: set[str]
    chain_id: int | None = 1
    woken: int = 0

    def follows(self, address: str) -> bool:
        return address in self.addresses

    def wake(self) -> None:
        self.woken += 1


def service(
    opened: Opened,
    chains: Sequence[ChainTerms] = (),
    *,
    create: bool = True,
    preset: str = "vamm",
    sources: Sequence[Source] = (),
) -> Pushed:
    """Return what takes events into a store; call it on an event loop. Its clock stands at NOW."""
    presets = Presets()
    book = Book(chains, presets, presets.named(preset), opened.store, sources)
    clock = NOW * 10**9
    reader = opened.store.reader
    return Pushed(book, reader, opened.ingest(), create=create, clock=lambda: clock)


def event(
    name: str, args: Event, at: tuple[int, int] | None = (100, 0), address: str = VAMM
) -> Event:
    """Return an event at (block, log index), or by time alone; see `chain_logs.made`."""
    block, index = at or (100, 0)
    place = {"blockNumber": block, "logIndex": index} if at else {}
    return {
        "contractAddress": address,
        "eventType": name,
        "transactionHash": f"0x{block:064x}",
        "timestamp": 1_700_000_000 + 12 * block,
        "args": args,
        **place,
    }


def log_of(pushed: Event) -> Log:
    """Return the log that the chain would hold of a vamm's event."""
    at = pushed["blockNumber"], pushed["logIndex"]
    preset = built_in("vamm")
    return made(preset, pushed["eventType"], pushed["args"], at, pushed["contractAddress"])


def opened_at(
    at: tuple[int, int] | None = (100, 1), position: int = 9, long: bool = True, **changed: Any
) -> Event:
    numbers = {"size": 3000 * ETHER, "price": 2 * ETHER, "leverage": 5, "fee": 7} | changed
    return event(
        "PositionOpened", {"user": ALICE, "positionId": position, "isLong": long} | numbers, at
    )


def closed_at(at: tuple[int, int] | None = (102, 0), position: int = 9) -> Event:
    args = {"user": ALICE, "positionId": position, "size": ETHER, "price": 3 * ETHER}
    return event("PositionClosed", args | {"pnl": -5, "fee": 1}, at)


def increased_at(at: tuple[int, int] | None = (101, 3), position: int = 9) -> Event:
    args = {"user": ALICE, "positionId": position, "sizeAdded": 10 * ETHER}
    return event(
        "PositionIncreased", args | {"newSize": 99 * ETHER, "newEntryPrice": 77, "fee": 2}, at
    )


def mark_at(at: tuple[int, int] | None = (101, 1), price: int = 4 * ETHER) -> Event:
    args = {"newPrice": price, "totalSupply": 1, "priceChange": 2}
    return event("BondingCurveUpdated", args, at)


def funding_at(at: tuple[int, int] | None = (103, 4), rate: int = -1234) -> Event:
    args = {"fundingRate": rate, "fundingIndex": 3, "premiumFraction": -7}
    return event("FundingUpdated", args, at)


def burst(blocks: int = 40, seed: int = 7) -> list[Event]:
    """Return a burst of all that a vamm emits, with odd and extreme numbers, in order."""
    chance = random.Random(seed)
    found: list[Event] = []
    known: list[int] = []
    for block in range(100, 100 + blocks):
        index = chance.randrange(3)
        for _ in range(chance.randrange(1, 5)):
            found.append(mark_at((block, index), chance.randrange(1, 10**24)))
            found.append(_trade(chance, (block, index + 1), known))
            index += 2 + chance.randrange(3)
        if not block % 7:
            found.append(funding_at((block, index), chance.randrange(-(10**8), 10**8)))
    return found


def _trade(chance: random.Random, at: tuple[int, int], known: list[int]) -> Event:
    kind = chance.randrange(4) if known else 0
    size, price = chance.randrange(1, 10**23), chance.randrange(10**6, 10**21)
    if kind == 0:
        known.append(chance.choice((len(known), 2**256 - 1 - len(known))))
        long = chance.random() < 0.5
        leverage = chance.randrange(1, 100)
        return opened_at(at, known[-1], long, size=size, price=price, leverage=leverage)
    position = chance.choice(known)
    if kind == 1:
        return increased_at(at, position)
    if kind == 2:
        return closed_at(at, position)
    args = {"user": BOB, "positionId": position, "liquidator": ALICE, "size": size}
    return event("PositionLiquidated", args | {"price": price, "fee": 3}, at)


def expected(pushed: Sequence[Event], symbol: str = "GOLD") -> pa.Table:
    """Return the rows that the chain follower's decoder makes of the same logs."""
    market = ContractMarket(VAMM, MarketSpec(symbol, chain_id=1), built_in("vamm"))
    return Decoder(1, [market]).decode(Logs.of(map(log_of, pushed))).trades


def stored(commits: Sequence[Commit]) -> pa.Table:
    """Return all rows that became durable, of markets counted from 0, in order."""
    table = pa.concat_tables([commit.trades for commit in commits])
    table = table.sort_by([("sequence", "ascending"), ("tie", "ascending")])
    ids = pa.array([0] * table.num_rows, pa.uint32())
    return table.set_column(0, table.schema.field(0), ids).combine_chunks()


def marks(store: Store) -> list[tuple[Any, ...]]:
    """Return the stored marks."""
    query = "SELECT sequence, kind, value, block_number FROM marks FINAL ORDER BY ALL"
    read = store.writer.call(lambda client: client.query(query).result_rows)
    return [tuple(row) for row in read.result(60)]


@dataclass
class Pushing(Web):
    """A running server over a real store, and what it has committed."""

    store: Store = field(kw_only=True)
    commits: list[Commit] = field(kw_only=True)


@contextmanager
def pushing(data_dir: Path, chains: Sequence[ChainTerms] = (), **changes: Any) -> Iterator[Pushing]:
    """Serve both routes over a real store in `data_dir`."""
    settings = Settings(
        data_dir=data_dir,
        api_keys=(ApiKey(KEY, "write"), ApiKey("read-key-0123456789", "read")),
        max_request_size=200_000,
        webhook_secret=SECRET,
    )
    settings = replace(settings, **changes)
    metrics, commits = Metrics(), list[Commit]()
    ingest = Ingest(metrics)
    store = Store(settings, metrics, commits.append)
    store.open()
    presets = Presets()
    book = Book(chains, presets, presets.named(settings.preset), store)
    pushed = Pushed(book, store.reader, ingest, create=settings.auto_create_markets)
    parts = _parts(settings, metrics, store, ingest)
    app = _application(parts, pushed)

    @app.before_server_start
    async def begin(_: sanic.Sanic[Any, Any]) -> None:
        ingest.open(store.writer)
        await asyncio.sleep(0)

    try:
        with running(app) as port:
            fakes: Any = (None, None, None, None)
            web = Pushing(port, app, parts, *fakes, store=store, commits=commits)
            yield web
            web.pool.clear()
    finally:
        store.close()


def _parts(settings: Settings, metrics: Metrics, store: Store, ingest: Ingest) -> Parts:
    others: dict[str, Any] = dict.fromkeys(
        ("datafeed", "directory", "pages", "positions", "streams", "status", "backups", "verifier")
    )
    return Parts(
        settings=settings,
        metrics=metrics,
        catalogue=store.catalogue,
        ingest=ingest,
        admin_token=ADMIN_TOKEN,
        **others,
    )


def _application(parts: Parts, pushed: Pushed) -> Sanic[Any, Any]:
    Sanic.test_mode = True
    app: Sanic[Any, Any] = Sanic(f"pushing-{id(parts)}", configure_logging=False)
    app.config.MOTD = False
    app.config.ACCESS_LOG = False
    answers.install(app, parts)
    security.install(app, parts)
    for module in (events, webhooks):
        app.blueprint(module.blueprint(parts, pushed))
    return app
