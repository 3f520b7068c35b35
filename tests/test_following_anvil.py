"""A chain from factory to candles, on a real node."""

from fractions import Fraction
from hashlib import sha256
from itertools import pairwise
from typing import Any

import pytest
from eth_utils.crypto import keccak

from appliance.chain.preset import built_in
from appliance.interval import parse
from tests import chain_oracle
from tests.anvil import (
    ACCOUNTS,
    BLOCK_S,
    CHAIN_ID,
    CONTRACTS,
    GENESIS_TIME,
    Anvil,
    Contract,
    compiled,
)
from tests.oracle import exact
from tests.reorgs import Miner, storm
from tests.vamm_model import Event, VammModel, factory_seed

UNIT = 10**18
VAMM_TOPICS = {
    "PositionOpened": chain_oracle.OPENED,
    "PositionClosed": chain_oracle.CLOSED,
    "PositionIncreased": chain_oracle.INCREASED,
    "PositionLiquidated": chain_oracle.LIQUIDATED,
    "FundingUpdated": chain_oracle.FUNDING,
    "BondingCurveUpdated": chain_oracle.CURVE,
}
V3_SWAP = "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67"
POOL_CREATED = "0x783cca1c0412dd0d695e784568c96da2e9c22ff989357a2e8b1d9b2b4e6b7118"


# -- our contracts emit what EVENTS.md says --


def topics_of(name: str) -> set[tuple[str, str]]:
    """Return name and topic0 of every event that a contract's ABI declares."""
    events = [entry for entry in compiled(name)["abi"] if entry["type"] == "event"]
    return {(event["name"], topic0(event)) for event in events}


def topic0(event: dict[str, Any]) -> str:
    types = ",".join(argument["type"] for argument in event["inputs"])
    return "0x" + keccak(text=f"{event['name']}({types})").hex()


def test_no_source_was_changed_without_compiling_it() -> None:
    """tests/contracts/compile.mjs writes the digest of all sources into every contract."""
    sources = b"".join(path.read_bytes() for path in sorted(CONTRACTS.glob("*.sol")))
    names = [path.stem for path in CONTRACTS.glob("*.json")]
    digests = {compiled(name)["sourcesSha256"] for name in names}
    assert {sha256(sources).hexdigest()} == digests


def test_our_vamm_emits_the_events_of_the_original() -> None:
    """ABI, EVENTS.md (as the oracle spells it) and preset name the same six topics."""
    assert set(VAMM_TOPICS.items()) == topics_of("Vamm")
    emitted = {"open", "close", "increase", "liquidation", "mark", "funding"}
    events = built_in("vamm").events.items()
    preset = {topic: event.event.name for topic, event in events if event.form.kind in emitted}
    assert {topic: name for name, topic in VAMM_TOPICS.items()} == preset


def test_our_factory_announces_in_both_forms() -> None:
    assert topics_of("VammFactory") == {
        ("MarketCreated", chain_oracle.MARKET_CREATED),
        ("MarketCreated", chain_oracle.OLDER_MARKET_CREATED),
        ("MarketStatusChanged", chain_oracle.STATUS),
    }


def test_the_impostor_says_the_same_as_market_and_factory() -> None:
    announced = {("MarketCreated", chain_oracle.MARKET_CREATED)}
    assert topics_of("Vamm") | announced == topics_of("Impostor")


def test_our_pools_emit_the_events_of_v3() -> None:
    assert topics_of("Pool") == {("Swap", V3_SWAP)}
    assert topics_of("PoolFactory") == {("PoolCreated", POOL_CREATED)}
    assert V3_SWAP in built_in("uniswap-v3").events


# -- the node and what is on it --


def factory(node: Anvil) -> Contract:
    token = node.deploy("TextToken", "US Dollar", "USDC", 6)
    return node.deploy("VammFactory", token.address)


def test_blocks_are_mined_on_demand_at_known_times(anvil: Anvil) -> None:
    assert (int(anvil.call("eth_chainId"), 16), anvil.head) == (CHAIN_ID, 0)
    assert int(anvil.block(0)["timestamp"], 16) == GENESIS_TIME
    assert anvil.mine(3) == 3
    assert int(anvil.block()["timestamp"], 16) == GENESIS_TIME + 3 * BLOCK_S
    anvil.mine(at=GENESIS_TIME + 3_600)
    assert int(anvil.block()["timestamp"], 16) == GENESIS_TIME + 3_600


def test_tokens_say_what_they_are(anvil: Anvil) -> None:
    text = anvil.deploy("TextToken", "Wrapped Ether", "WETH", 18)
    word = anvil.deploy("WordToken", b"Maker".ljust(32, b"\0"), b"MKR".ljust(32, b"\0"), 9)
    assert text.read("symbol", returns=["string"]) == ("WETH",)
    assert text.read("decimals", returns=["uint8"]) == (18,)
    assert word.read("symbol", returns=["bytes32"]) == (b"MKR".ljust(32, b"\0"),)
    assert word.read("decimals", returns=["uint8"]) == (9,)


def test_a_pool_is_announced_before_its_first_swap(anvil: Anvil) -> None:
    tokens = [anvil.deploy("TextToken", name, name, 18).address for name in ("A", "B")]
    pools = anvil.deploy("PoolFactory")
    created, swapped = pools.transact("createPoolAndSwap", *tokens, 500, 5, -7, 2**96)
    assert [created["topics"][0], swapped["topics"][0]] == [POOL_CREATED, V3_SWAP]
    (pool,) = pools.read("pools", 0, returns=["address"])
    assert created["data"][-40:] == pool[2:] == swapped["address"][2:]
    first, second = (int(topic, 16) for topic in created["topics"][1:3])
    assert [first, second] == sorted(int(token, 16) for token in tokens)
    assert int(swapped["data"][2:66], 16) == 5


def test_any_log_can_be_emitted(anvil: Anvil) -> None:
    """Also one without topics, and one whose data is no whole word."""
    topics = [[], [bytes([number]) * 32 for number in range(4)]]
    logs = anvil.deploy("Emitter").transact("emitLogs", topics, [b"abc", b""])
    assert [len(log["topics"]) for log in logs] == [0, 4]
    assert [log["data"] for log in logs] == ["0x616263", "0x"]


def words(log: dict[str, Any], event: str) -> list[int]:
    """Return topics and data as the model has them: in the order of the signature."""
    inputs = next(e["inputs"] for e in compiled("Vamm")["abi"] if e.get("name") == event)
    topics = iter(log["topics"][1:])
    size = range(2, len(log["data"]), 64)
    data = iter([log["data"][start : start + 64] for start in size])
    return [_integer(next(topics if i["indexed"] else data), i["type"]) for i in inputs]


def _integer(word: str, kind: str) -> int:
    value = int(word, 16)
    return value - 2**256 if kind == "int256" and value >= 2**255 else value


def events(logs: list[dict[str, Any]]) -> list[Event]:
    names = {topic: name for name, topic in VAMM_TOPICS.items()}
    return [(names[log["topics"][0]], words(log, names[log["topics"][0]])) for log in logs]


def test_a_burst_emits_what_its_model_says(anvil: Anvil) -> None:
    """Two bursts of 200 events: nothing is invented, nothing missing, the state carries over."""
    model = VammModel(2 * UNIT, ACCOUNTS[0])
    vamm = anvil.deploy("Vamm", 2 * UNIT)
    for seed in (1, 2):
        assert model.burst(seed, 200) == events(vamm.transact("burst", seed, 200))
    assert vamm.read("price", returns=["uint160"]) == (model.price,)


def test_all_markets_of_the_factory_trade_at_once(anvil: Anvil) -> None:
    source = factory(anvil)
    created = source.transact("createMarkets", "M", 20)
    prices = [10**15 * 10 ** (number % 6) for number in range(20)]
    models = [VammModel(price, source.address) for price in prices]
    logs = source.transact("burstAll", 9, 11)
    expected = [m.burst(factory_seed(9, number), 11) for number, m in enumerate(models)]
    assert [event for each in expected for event in each] == events(logs)
    markets = [log["topics"][2][-40:] for log in created]
    assert [market for market in markets for _ in range(11)] == [a["address"][2:] for a in logs]


# -- the oracle --


def test_the_oracle_equals_a_story_worked_out_by_hand(anvil: Anvil) -> None:
    """Prices 2, 4, 3, then 5 of a liquidation, in three blocks of the same minute and the next."""
    source = factory(anvil)
    source.transact("createMarket", "GOLD", 2 * UNIT)
    (address,) = source.read("markets", 0, returns=["address"])
    vamm = Contract(anvil, "Vamm", address)
    start = (GENESIS_TIME // 60 + 5) * 60
    vamm.send("open", True, 10 * UNIT, 4 * UNIT, 5)  # at 2, which is the mark before it
    vamm.send("increase", 1, 9 * UNIT)  # at the mark, 4
    vamm.send("open", False, UNIT, 3 * UNIT, 1)  # at 4
    block = anvil.mine(at=start)
    vamm.send("close", 1, 6 * UNIT, 7 * UNIT, -3)  # at 3
    anvil.mine(at=start + 59)
    vamm.send("liquidate", ACCOUNTS[1], 2, UNIT, 5 * UNIT)  # at 5, the mark after it
    vamm.send("fund", -250)
    anvil.mine(at=start + 60)

    found = chain_oracle.read(anvil, [source.address])

    market = found.symbol("GOLD").address
    shape = [
        (row.block_number - block, row.log_index, row.kind, row.side, row.position_id)
        for row in found.rows
    ]
    assert shape == [
        (0, 0, "mark", "", ""),
        (0, 1, "open", "buy", "1"),
        (0, 2, "increase", "buy", "1"),
        (0, 3, "mark", "", ""),
        (0, 4, "open", "sell", "2"),
        (1, 0, "mark", "", ""),
        (1, 1, "close", "sell", "1"),
        (2, 0, "mark", "", ""),
        (2, 1, "liquidation", "buy", "2"),
    ]
    assert [row.execution for row in found.rows if row.kind in {"open", "close"}] == [
        2 * UNIT, 4 * UNIT, 3 * UNIT
    ]  # fmt: skip
    assert [Fraction(row.base, UNIT) for row in found.rows if row.base] == [
        5, Fraction(9, 4), Fraction(1, 4), 2, Fraction(1, 5)
    ]  # fmt: skip
    assert [(r.rate, r.time) for r in found.rates] == [(-2.5e-6, start + 60)]

    first, second = found.candles(market, parse("1m"))
    assert (first.time, first.open, first.high, first.low, first.close) == (start, 4, 7, 3, 7)
    assert (first.volume, first.buy_volume) == (exact(95 * UNIT // 10), exact(725 * UNIT // 100))
    assert (first.trades, second.trades) == (4, 1)
    assert (second.open, second.close, second.volume) == (5, 5, exact(UNIT // 5))
    quotes = [(exact(26 * UNIT), exact(19 * UNIT)), (exact(UNIT), exact(UNIT))]
    assert found.quote_volumes(market, parse("1m")) == quotes

    before = found.candles(market, parse("1m"), "execution")
    assert [(c.open, c.high, c.low, c.close) for c in before] == [(2, 4, 2, 3), (5, 5, 5, 5)]


def test_the_oracle_believes_the_factory_alone(anvil: Anvil) -> None:
    """Neither an impostor nor another's factory makes a market."""
    source = factory(anvil)
    impostor = anvil.deploy("Impostor")
    impostor.transact("announce", "FAKE")
    impostor.transact("burst", 1, 20)
    factory(anvil).transact("createAndTrade", "OTHER", UNIT, 2, 20)
    source.transact("createAndTrade", "REAL", UNIT, 3, 20)
    source.transact("createOlderMarket", "OLD", UNIT)
    source.transact("setActive", "OLD", False)
    found = chain_oracle.read(anvil, [source.address])
    assert [(m.symbol, m.active) for m in found.markets.values()] == [
        ("REAL", True),
        ("OLD", False),
    ]
    real = found.symbol("REAL")
    assert {row.market for row in found.rows} == {real.address}
    assert (found.rows[0].block_number, found.rows[0].log_index) == (real.created[0], 1)
    assert 20 == len(found.rows) + len(found.rates)


# -- reorgs --


def hashes(node: Anvil) -> list[str]:
    return [str(node.block(number)["hash"]) for number in range(node.head + 1)]


def test_a_reorg_replaces_blocks_by_others(anvil: Anvil) -> None:
    """Three of seven blocks change, two of them with events of their own."""
    source = factory(anvil)
    source.transact("createMarkets", "M", 2)
    for seed in range(4):
        source.transact("burstAll", seed, 10)
    old = hashes(anvil)
    work = [(source.request("burstAll", seed, 5), at) for seed, at in ((90, 0), (91, 2))]
    anvil.reorganize(3, work)
    new = hashes(anvil)
    assert [a == b for a, b in zip(old, new, strict=True)] == [True] * 5 + [False] * 3
    found = chain_oracle.read(anvil, [source.address])
    counted = [r.block_number for r in found.rows] + [r.block_number for r in found.rates]
    assert [counted.count(number) for number in range(4, 8)] == [20, 10, 0, 10]


def test_a_rollback_and_a_snapshot_take_blocks_away(anvil: Anvil) -> None:
    vamm = anvil.deploy("Vamm", UNIT)
    snapshot = anvil.snapshot()
    vamm.transact("burst", 1, 10)
    anvil.rollback(1)
    assert anvil.head == 1
    vamm.transact("burst", 2, 10)
    anvil.mine(4)
    anvil.revert(snapshot)
    assert anvil.head == 1
    assert vamm.read("price", returns=["uint160"]) == (UNIT,)


def test_reorgs_under_a_miner_leave_a_linked_chain(anvil: Anvil) -> None:
    """Forty of them, to a depth of 30; the state is that of the blocks which are left."""
    source = factory(anvil)
    source.transact("createMarkets", "M", 3)
    floor = anvil.head

    def work(number: int) -> list[dict[str, str]]:
        return [source.request("burstAll", number, 4)]

    with Miner(anvil, work) as miner:
        depths = storm(anvil, 40, work, deepest=30, floor=floor, seed=5, pause_s=0.01)
    assert miner.mined > 0
    assert len(depths) >= 39
    assert max(depths) > 4
    blocks = [anvil.block(number) for number in range(anvil.head + 1)]
    assert all(b["parentHash"] == a["hash"] for a, b in pairwise(blocks))
    found = chain_oracle.read(anvil, [source.address])
    assert len(found.rows) + len(found.rates) == 12 * sum(
        len(block["transactions"]) for block in blocks[floor + 1 :]
    )
    assert min(row.block_number for row in found.rows) > floor


def test_a_miners_failure_is_the_tests(anvil: Anvil) -> None:
    def work(number: int) -> list[dict[str, str]]:
        raise LookupError(f"block {number}")

    with pytest.raises(LookupError, match="block 0"), Miner(anvil, work) as miner:
        miner._thread.join()
