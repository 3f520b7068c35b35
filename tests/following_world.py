"""A world to follow: a fake chain with a vAMM factory, its nodes, and an appliance's store."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from eth_abi.abi import encode

from appliance.chain.decode import Decoder
from appliance.chain.log import Log, Logs
from appliance.chain.market import ContractMarket
from appliance.chain.preset import built_in
from appliance.chain.signature import parse
from appliance.following.follower import Follower, Step
from appliance.following.intake import Intake
from appliance.following.terms import ChainTerms, ContractTerms
from appliance.following.tokens import Tokens
from appliance.ingest import Ingest
from appliance.metrics import Metrics
from appliance.model import MarketSpec
from appliance.rpc.pool import Pool
from appliance.rpc.rate import Waiting
from tests.chain_logs import ALICE, ETHER, made
from tests.conftest import Opened
from tests.fake_chain import FakeChain, FakeLog
from tests.fake_rpc import FakeNode

FACTORY = "0x00000000000000000000000000000000000000fa"
IMPOSTOR = "0x00000000000000000000000000000000000000bd"
VAMM = built_in("vamm")
CREATED = parse(
    "MarketCreated(bytes32 indexed marketId, string symbol, address indexed vamm, "
    "address indexed vault, address oracle, address collateralToken, uint256 startingPrice, "
    "uint8 marketType)"
)


def market_address(number: int) -> str:
    """Return the contract of a market."""
    return f"0x{0xAA00 + number:040x}"


def creation(number: int, factory: str = FACTORY) -> FakeLog:
    """Return the log by which a factory makes a market."""
    topics = [f"0x{number:064x}", f"0x{int(market_address(number), 16):064x}", "0x" + "0" * 64]
    types = ["string", "address", "address", "uint256", "uint8"]
    data = encode(types, [f"M{number}", ALICE, ALICE, ETHER, 0]).hex()
    return FakeLog(factory, [CREATED.topic0, *topics], "0x" + data)


@dataclass
class Trader:
    """Makes the logs of random trades; positions open, grow, close and are liquidated."""

    dice: random.Random
    markets: list[int] = field(default_factory=list)
    position: int = 0
    open: dict[int, list[int]] = field(default_factory=dict)

    def logs(self, count: int) -> list[FakeLog]:
        """Return the logs of some trades in one block."""
        found: list[FakeLog] = []
        for _ in range(count):
            if not self.markets or (len(self.markets) < 12 and self.dice.random() < 0.03):
                self.markets.append(len(self.markets) + 1)
                found.append(creation(self.markets[-1]))
            found += self._trade(self.dice.choice(self.markets))
        return found

    def fake(self, market: int) -> list[FakeLog]:
        """Return the logs of a trade of any market, also one that nobody made."""
        return self._trade(market)

    def _trade(self, market: int) -> list[FakeLog]:
        price = self.dice.randrange(1, 10**6) * 10**14
        size, fee = self.dice.randrange(1, 10**24), self.dice.randrange(10**18)
        mark = ("BondingCurveUpdated", {"newPrice": price, "totalSupply": 1, "priceChange": 0})
        held = self.open.setdefault(market, [])
        kind = self.dice.choice(("open", "open", "close", "increase", "liquidate", "funding"))
        who = {"user": ALICE, "positionId": held[0] if held else 0}
        rest = {"size": size, "price": price}
        if kind == "funding":
            rate = self.dice.randrange(-(10**6), 10**6)
            values = {"fundingRate": rate, "fundingIndex": 1, "premiumFraction": 0}
            return [self._log("FundingUpdated", values, market)]
        if kind == "open" or not held:
            self.position += 1
            held.append(self.position)
            who = {"user": ALICE, "positionId": self.position}
            side = {"isLong": self.dice.random() < 0.5}
            event = ("PositionOpened", who | side | rest | {"leverage": 3, "fee": fee})
        elif kind == "close":
            held.pop(0)
            event = ("PositionClosed", who | rest | {"pnl": -5, "fee": fee})
        elif kind == "increase":
            more = {"sizeAdded": size, "newSize": size, "newEntryPrice": price, "fee": fee}
            return [self._log("PositionIncreased", who | more, market)]
        else:
            held.pop(0)
            event = ("PositionLiquidated", who | {"liquidator": ALICE} | rest | {"fee": fee})
        return [self._log(*mark, market), self._log(*event, market)]

    def _log(self, name: str, values: dict[str, Any], market: int) -> FakeLog:
        log = made(VAMM, name, values, address=market_address(market))
        return FakeLog(log.address, log.topics, log.data)


def deploy(chain: FakeChain, at: int = 0) -> None:
    """Put the contracts on the chain."""
    for address in (FACTORY, *(market_address(n) for n in range(1, 13))):
        chain.deploy(address, at=at)


def expected(chain: FakeChain) -> list[dict[str, Any]]:
    """Return the rows that the logs of the final chain decode to, by symbol and sequence."""
    logs, known = [], []
    for block in chain.blocks:
        for index, log in enumerate(block.logs):
            if log.address == FACTORY:
                known.append(int(log.topics[1], 16))
            where = block.number, block.time * 10**6, block.transaction_hash(index), index
            logs.append(Log(*where, log.address, log.topics, log.data))
    markets = [
        ContractMarket(market_address(n), MarketSpec(f"M{n}", chain_id=chain.chain_id), VAMM)
        for n in known
    ]
    decoder = Decoder(chain.chain_id, markets)
    table = decoder.decode(Logs.of(logs)).trades
    symbols = pa.array([decoder.specs[i].symbol for i in table["market_id"].to_pylist()])
    return rows_of(table.append_column("symbol", symbols))


_COLUMNS = (
    *("symbol", "sequence", "time", "price", "execution_price", "mark_price", "base_volume"),
    *("quote_volume", "fee", "pnl", "side", "kind", "position_id", "transaction_hash"),
)


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """Return what is compared of trades, in order."""
    rows = table.select(_COLUMNS).to_pylist()
    return sorted(rows, key=lambda row: (row["symbol"], row["sequence"]))


def stored(opened: Opened) -> list[dict[str, Any]]:
    """Return what is compared of the stored trades."""
    query = (
        "SELECT trades.*, symbol FROM trades INNER JOIN (SELECT market_id, symbol FROM markets "
        "FINAL) AS m USING (market_id)"
    )
    return rows_of(opened.store.writer.call(lambda c: c.query_arrow(query)).result(60))


@dataclass
class Clock:
    """Time that passes only by sleeping."""

    now: float = 0.0

    async def sleep(self, seconds: float) -> None:
        """Let the time pass at once, and let others run."""
        self.now += seconds
        await asyncio.sleep(0)


TERMS = ContractTerms(FACTORY, VAMM, factory=True)


@dataclass
class Followed:
    """A follower that runs, and what it told."""

    follower: Follower
    intake: Intake
    pool: Pool
    steps: list[Step]

    async def follow(self) -> None:
        """Process everything up to the head; a reorg takes a few steps."""
        for _ in range(50):
            head = await self.pool.head()
            await self.follower.follow(head)
            tip = self.intake.trail.tip
            if tip is not None and tip.hash == head.hash:
                return
        raise AssertionError(f"stands still at {tip}, the head is {head}")


@asynccontextmanager
async def following(
    opened: Opened,
    nodes: Sequence[FakeNode],
    contracts: Sequence[ContractTerms] = (TERMS,),
    confirmations: int = 8,
    start_block: int | None = None,
) -> AsyncIterator[Followed]:
    """Follow a chain over these nodes, from what is stored."""
    async with AsyncExitStack() as stack:
        urls = tuple(node.url for node in nodes)
        clock = Clock()
        waiting = Waiting(lambda: clock.now, clock.sleep)
        pool = Pool(urls, metrics=Metrics(), timeout_s=5.0, waiting=waiting)
        await pool.open()
        stack.push_async_callback(pool.close)
        ingest: Ingest = opened.ingest()
        terms = ChainTerms(urls, "", start_block, confirmations, tuple(contracts), "test")
        chain_id = await pool.chain_id()
        intake = Intake(chain_id, terms, Tokens(chain_id), pool, opened.store, ingest)
        steps: list[Step] = []
        follower = Follower("test", intake, pool, confirmations, start_block, steps.append)
        await intake.load()
        await follower.begin(await pool.head())
        yield Followed(follower, intake, pool, steps)
