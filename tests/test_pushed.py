"""Pushed events and logs become the rows that the same logs become on a chain."""

import asyncio
import random
from typing import Any

import msgspec
import pytest

from appliance.chain.log import Log
from appliance.chain.preset import built_in
from appliance.errors import BadRequest, Conflict, UnknownSymbol
from appliance.following.discovered import Discovered
from appliance.following.terms import ContractTerms
from appliance.model import Attached, Checkpoint, MarketSpec
from appliance.pushed.service import Outcome
from appliance.rpc.records import LogRecord
from tests.chain_logs import ETHER, VAMM
from tests.conftest import NOW, Opened, Opener
from tests.oracle import T, table
from tests.pushing import (
    OTHER,
    FakeSource,
    burst,
    closed_at,
    event,
    expected,
    funding_at,
    increased_at,
    log_of,
    mark_at,
    marks,
    opened_at,
    service,
    stored,
    terms,
    vamm_terms,
)

CHAIN = terms(vamm_terms(), chain_id=1)


def record(log: Log, **changed: Any) -> LogRecord:
    """Return a log as a node's answer is read."""
    return LogRecord(
        *(log.address, list(log.topics), log.data, log.block_number, "0x" + "00" * 32),
        *(log.transaction_hash, log.log_index, log.time_us // 10**6),
        **changed,
    )


async def test_a_burst_of_events_is_the_same_as_its_logs(opened: Opened) -> None:
    """Row by row and column by column; again, in pieces or shuffled, it changes nothing."""
    pushed = burst()
    outcome = await service(opened, [CHAIN]).events(pushed)
    wanted = expected(pushed)
    trades = sum(kind != "mark" for kind in wanted["kind"].to_pylist())
    assert Outcome(trades, marks=len(pushed) - trades) == outcome
    assert wanted.equals(stored(opened.commits))
    assert 5 <= sum(e["eventType"] == "FundingUpdated" for e in pushed) == len(marks(opened.store))
    shuffled = random.Random(1).sample(pushed, len(pushed))
    again = service(opened, [CHAIN])
    for part in (pushed, shuffled, pushed[3:4], pushed[20:50], pushed[41:42]):
        outcome = await again.events(part)
        assert (0, len(part)) == (outcome.accepted, outcome.duplicates + outcome.marks)
    assert wanted.num_rows == stored(opened.commits).num_rows


async def test_every_way_to_cut_a_burst_gives_the_same_rows(open_store: Opener) -> None:
    """Also when the process starts anew between two pieces: sides and marks are in the store."""
    pushed = burst(20, seed=3)
    opened, commits = open_store(), []
    for start in range(0, len(pushed), 7):
        await service(opened, [CHAIN]).events(pushed[start : start + 7])
        commits += opened.commits
        opened.store.close()
        opened = open_store()
    assert expected(pushed).equals(stored(commits))


async def test_pieces_that_come_late_know_what_was_known_at_their_place(opened: Opened) -> None:
    """Not what came since: an increase counts at the mark before it."""
    story = [opened_at((100, 1)), mark_at((100, 2), 2 * ETHER), mark_at((110, 1), 5 * ETHER)]
    pushed = service(opened, [CHAIN])
    await pushed.events(story)
    await pushed.events([increased_at((105, 0))])
    await pushed.events([increased_at((120, 0)), increased_at((104, 0))])
    everything = [*story, *(increased_at(at) for at in ((105, 0), (120, 0), (104, 0)))]
    assert expected(everything).equals(stored(opened.commits))


async def test_logs_become_the_same_rows_as_their_events(opened: Opened) -> None:
    pushed = burst(10)
    both = service(opened, [CHAIN])
    half = len(pushed) // 2
    await both.events(pushed[:half])
    outcome = await both.logs([record(log_of(e)) for e in pushed], 1)
    assert expected(pushed).equals(stored(opened.commits))
    assert len(pushed) == outcome.accepted + outcome.duplicates + outcome.marks


async def test_events_that_overlap_know_of_each_other(opened: Opened) -> None:
    """A close that is sent right behind its opening has a side."""
    pushed = service(opened, [CHAIN])
    story = [opened_at((100, 1)), *(closed_at((101 + i, 0)) for i in range(5))]
    await asyncio.gather(*(pushed.events([each]) for each in story))
    assert ["buy", *["sell"] * 5] == stored(opened.commits)["side"].to_pylist()


async def test_by_time_the_id_is_made_of_transaction_event_and_position(opened: Opened) -> None:
    """In any order of arrival; a mark of the same moment comes before what needs it."""
    story = [increased_at(None), opened_at(None), mark_at(None)]
    for one in story:
        one["transactionHash"] = "0xABC"
    pushed = service(opened)
    assert Outcome(2, marks=1) == await pushed.events(story)
    assert Outcome(0, 2, marks=1) == await pushed.events(story[::-1])
    rows = stored(opened.commits).to_pylist()
    ids = sorted(row["trade_id"] for row in rows)
    assert ["0xabc:PositionIncreased:9", "0xabc:PositionOpened:9"] == ids[1:]
    assert ids[0].startswith("0xabc:BondingCurveUpdated:")
    by_kind = {row["kind"]: row for row in rows}
    assert ("buy", 2.5) == (by_kind["increase"]["side"], by_kind["increase"]["base_volume"])
    assert {1_700_001_200 * 10**6} == {row["sequence"] for row in rows}
    assert {(0, 0)} == {(row["block_number"], row["log_index"]) for row in rows}


async def test_by_time_two_marks_of_one_transaction_are_two(opened: Opened) -> None:
    story = [opened_at(None), mark_at(None, 3 * ETHER), mark_at(None, 5 * ETHER), funding_at(None)]
    assert Outcome(1, marks=3) == await service(opened).events(story)
    assert 3 == stored(opened.commits).num_rows
    assert [(1_700_001_200 * 10**6, "funding", -1.234e-05, 0)] == marks(opened.store)


async def test_by_time_what_was_known_survives_a_restart(open_store: Opener) -> None:
    first = open_store()
    await service(first).events([opened_at(None), mark_at(None, 2 * ETHER)])
    first.store.close()
    second = open_store()
    later = closed_at(None), increased_at(None)
    for each in later:
        each["timestamp"] += 60
    await service(second).events(later)
    rows = {row["kind"]: row for row in stored(second.commits).to_pylist()}
    assert ("sell", "buy", 5) == (
        rows["close"]["side"],
        rows["increase"]["side"],
        rows["increase"]["base_volume"],
    )


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ((100, 1), None, "events[1].logIndex must be given, as SILVER is ordered by block"),
        (None, (100, 1), "events[1].logIndex must be absent, as SILVER is ordered by time, was 1"),
    ],
)
async def test_a_market_has_one_order(
    opened: Opened, first: Any, second: Any, message: str
) -> None:
    """In one request and in the next."""
    pushed = service(opened)
    one, other = opened_at(first), opened_at(second, position=10)
    one["symbol"] = other["symbol"] = "SILVER"
    with pytest.raises(BadRequest) as refused:
        await pushed.events([one, other])
    assert str(refused.value).startswith(message)
    assert "events[1].logIndex" == refused.value.field
    assert [] == opened.commits
    await pushed.events([one])
    with pytest.raises(BadRequest, match=r"events\[0\].logIndex must be"):
        await pushed.events([other])


async def test_a_stranger_makes_a_market(opened: Opened) -> None:
    """Named by the event, else by its address; the dollar is what a vamm's prices are in."""
    named, unnamed = opened_at(), opened_at() | {"contractAddress": OTHER}
    await service(opened).events([named | {"market": "btc"}, unnamed])
    found = {m.spec.contract: m for m in opened.store.catalogue.all()}
    assert ("BTC", "USD", 1, "chain", "after") == (
        found[VAMM].symbol,
        found[VAMM].spec.quote,
        found[VAMM].spec.chain_id,
        found[VAMM].spec.order,
        found[VAMM].spec.price_rule,
    )
    assert "0X000000" == found[OTHER].symbol


async def test_strangers_are_refused_where_markets_are_not_made(opened: Opened) -> None:
    """Configured ones are no strangers."""
    pushed = service(opened, [CHAIN], create=False)
    with pytest.raises(UnknownSymbol, match=OTHER):
        await pushed.events([opened_at(), opened_at() | {"contractAddress": OTHER}])
    assert Outcome(1) == await pushed.events([opened_at()])


async def test_a_market_keeps_its_terms(open_store: Opener) -> None:
    """Whatever PRESET is after the restart; a market without remembered terms has its own rule."""
    first = open_store()
    swap = {"sender": VAMM, "recipient": VAMM, "sqrtPriceX96": 2**96, "liquidity": 1, "tick": 0}
    swap |= {"amount0": -(10**18), "amount1": 2 * 10**6}
    pool = event("Swap", swap, address=OTHER) | {"decimals0": 18, "decimals1": 6}
    await service(first, preset="uniswap-v3").events([pool | {"symbol": "WETH/USDC"}])
    first.store.close()
    second = open_store()
    swap["amount1"] = 3 * 10**6
    await service(second, preset="vamm").events([event("Swap", swap, (101, 0), OTHER)])
    (row,) = stored(second.commits).to_pylist()
    assert (3.0, 1, 3) == (row["price"], row["base_volume"], row["quote_volume"])


async def test_pools_need_the_decimals_of_their_tokens(opened: Opened) -> None:
    """Nothing is invented: they are given with the first event, or the pool is refused."""
    swap = {"amount0": 1, "amount1": -1, "sqrtPriceX96": 2**96}
    pushed = service(opened, preset="uniswap-v3")
    with pytest.raises(BadRequest) as refused:
        await pushed.events([event("Swap", swap)])
    assert "events[0].decimals0" == refused.value.field
    with pytest.raises(BadRequest, match=r"events\[0\].decimals1 must be given"):
        await pushed.events([event("Swap", swap) | {"decimals0": 6}])


async def test_one_contract_may_hold_many_markets(opened: Opened) -> None:
    """Each event names its own."""
    increase = {"price": 2_000 * 10**30, "sizeDelta": 10**30, "isLong": True}
    tokens = ["0x" + "12" * 20, "0x" + "34" * 20]
    sent = [
        event("IncreasePosition", increase | {"indexToken": token, "key": "0x" + "00" * 32}, (7, i))
        for i, token in enumerate(tokens)
    ]
    sent[0]["symbol"] = "ETH"
    assert Outcome(2) == await service(opened, preset="gmx-v1").events(sent)
    markets = opened.store.catalogue.all()
    assert ["ETH", "0X343434"] == [m.symbol for m in markets]
    assert [f"{VAMM}:0x{token[2:]:0>64}" for token in tokens] == [m.spec.contract for m in markets]


async def test_a_contract_that_is_followed_is_left_to_its_follower(opened: Opened) -> None:
    """It is woken. A pushed log of a block that a reorg replaced would never be taken back."""
    source = FakeSource({OTHER})
    chains = [terms(vamm_terms(), urls=("http://node",))]
    pushed = service(opened, chains, sources=[source])
    sent = [opened_at(), opened_at() | {"contractAddress": OTHER}]
    assert Outcome(followed=2) == await pushed.events(sent)
    assert Outcome(followed=1) == await pushed.logs([record(log_of(sent[1]))], 1)
    assert (2, []) == (source.woken, opened.commits)


async def test_markets_of_a_followed_factory_are_left_to_its_follower(opened: Opened) -> None:
    """Also before it has connected: the store knows who made them."""
    row = Discovered(address=VAMM, preset="vamm", symbol="GOLD", price_rule="after", factory=OTHER)
    fact = Checkpoint("market:1", f"{VAMM}:", msgspec.json.encode(row).decode())
    spec = MarketSpec("GOLD", chain_id=1, contract=VAMM, order="chain", price_rule="after")
    trade = T(NOW * 10**6, 1.0, 10**18, block=1, log_index=1)
    await opened.ingest().submit(table([trade]), (spec,), "x", attached=Attached((), (fact,)))
    factory = vamm_terms("", OTHER)
    followed = service(opened, [terms(factory, urls=("http://node",))])
    assert Outcome(followed=1) == await followed.logs([record(log_of(opened_at()))], 1)
    pushed_now = service(opened, [terms(factory)])
    assert Outcome(1) == await pushed_now.logs([record(log_of(opened_at()))], 1)


async def test_only_known_contracts_are_believed_in_logs(opened: Opened) -> None:
    """What is foreign, removed, unknown or malformed is counted; the rest is stored."""
    good = log_of(opened_at())
    transfer = good._replace(topics=["0x" + "dd" * 32], log_index=7)
    logs = [
        record(good),
        record(good._replace(address=OTHER)),
        record(good, removed=True),
        record(transfer),
        record(good._replace(log_index=8, data="0x12")),
        record(log_of(funding_at())),
    ]
    pushed = service(opened, [CHAIN])
    assert Outcome(1, 0, 1, 2, 0, 1, 1) == await pushed.logs(logs)
    assert Outcome(foreign=6 - 1, ignored=1) == await pushed.logs(logs, 137)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"block_time": None}, "logs[0].blockTimestamp must be given"),
        ({"block_time": 5}, "logs[0].blockTimestamp must be unix seconds from 2000 to 2100"),
        ({"block_number": 1 << 50}, "logs[0] must be of a block below"),
        ({"log_index": 1 << 20}, "logs[0] must be of a block below"),
    ],
)
async def test_logs_that_have_no_place_are_refused(
    opened: Opened, changed: dict[str, Any], message: str
) -> None:
    log = msgspec.structs.replace(record(log_of(opened_at())), **changed)
    with pytest.raises(BadRequest) as refused:
        await service(opened, [CHAIN]).logs([log], 1)
    assert str(refused.value).startswith(message)


async def test_logs_of_a_market_by_time_are_refused(opened: Opened) -> None:
    pushed = service(opened)
    await pushed.events([opened_at(None)])
    with pytest.raises(BadRequest, match="which is ordered by time"):
        await pushed.logs([record(log_of(closed_at()))], 1)


async def test_other_content_at_the_same_place_is_a_conflict(opened: Opened) -> None:
    pushed = service(opened, [CHAIN])
    await pushed.events([opened_at()])
    with pytest.raises(Conflict, match=r"block 100, log index 1 is known with price 2\.0"):
        await pushed.events([opened_at(price=3 * ETHER)])


async def test_what_cannot_be_decoded_is_refused_by_name(opened: Opened) -> None:
    """And nothing of its request is remembered: the side of the refused opening is not known."""
    pushed = service(opened, [CHAIN])
    story = [opened_at((100, 1)), increased_at((100, 2))]
    with pytest.raises(BadRequest) as refused:
        await pushed.events(story)
    assert str(refused.value) == (
        "events[1] cannot be taken, PositionIncreased: "
        "the contract's mark price must be known from an earlier log"
    )
    with pytest.raises(BadRequest, match=r"events\[0\] cannot be taken, PositionOpened: execution"):
        await pushed.events([opened_at(price=0)])
    await pushed.events([closed_at()])
    assert [""] == stored(opened.commits)["side"].to_pylist()


async def test_the_chain_is_the_one_that_is_known(opened: Opened) -> None:
    """That of the event, of its contract, the only one configured, or 1."""
    polygon = terms(vamm_terms("A"), chain_id=137)
    pushed = service(opened, [polygon])
    await pushed.events([opened_at(), opened_at() | {"contractAddress": OTHER}])
    await pushed.events([opened_at() | {"chainId": "0xa", "symbol": "B"}])
    chains = {m.symbol: m.spec.chain_id for m in opened.store.catalogue.all()}
    assert {"A": 137, "0X000000": 137, "B": 10} == chains
    with pytest.raises(BadRequest, match=r"events\[0\].chainId must be given"):
        await service(opened).events([opened_at()])


async def test_a_demo_takes_no_events(opened: Opened) -> None:
    """An invented market holds nothing that happened."""
    demo = MarketSpec("GOLD", exchange="DEMO", chain_id=1, contract=VAMM, order="chain")
    trade = T(NOW * 10**6, 1.0, 10**18, block=1, log_index=1)
    await opened.ingest().submit(table([trade]), (demo,), "demo")
    with pytest.raises(BadRequest, match="is of the demo"):
        await service(opened).events([opened_at()])


async def test_nothing_sent_is_nothing_stored(opened: Opened) -> None:
    pushed = service(opened, [CHAIN])
    unknown = event("Transfer", {"value": 1})
    assert Outcome() == await pushed.events([])
    assert Outcome(ignored=1) == await pushed.events([unknown])
    assert Outcome(marks=1) == await pushed.events([funding_at()])
    assert ([], []) == (opened.commits, marks(opened.store))


async def test_a_pair_of_reserves_is_read_block_by_block(opened: Opened) -> None:
    """The price after a swap is that of its own Sync; none is remembered from other blocks."""
    swap = {"amount0In": 10**18, "amount1In": 0, "amount0Out": 0, "amount1Out": 2 * 10**6}
    sync = {"reserve0": 10**18, "reserve1": 3 * 10**6}
    sent = [
        event("Sync", sync, (7, 1)) | {"decimals0": 18, "decimals1": 6},
        event("Swap", swap, (7, 2)),
        event("Swap", swap, (8, 1)),
    ]
    pushed = service(opened, preset="uniswap-v2")
    assert Outcome(2, marks=1) == await pushed.events(sent)
    assert Outcome(0, 1) == await pushed.events(sent[2:])
    found = [(r["price"], r["mark_price"]) for r in stored(opened.commits).to_pylist()]
    assert [(2.0, 3.0), (2.0, None)] == found


async def test_markets_by_number_are_named_by_it(opened: Opened) -> None:
    order = {"marketId": 100, "accountId": 1, "fillPrice": ETHER, "sizeDelta": -ETHER}
    await service(opened, preset="synthetix-perps-v3").events([event("OrderSettled", order)])
    assert ["MARKET-100"] == [m.symbol for m in opened.store.catalogue.all()]


async def test_a_preset_that_is_gone_is_told(
    opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    """Its markets are read by PRESET then, as any contract of which nothing is remembered."""
    row = Discovered(address=VAMM, preset="mine", symbol="GOLD", price_rule="after")
    fact = Checkpoint("pushed:1", f"{VAMM}:", msgspec.json.encode(row).decode())
    spec = MarketSpec("GOLD", chain_id=1, contract=VAMM, order="chain", price_rule="execution")
    trade = T(NOW * 10**6, 1.0, 10**18, block=1, log_index=1)
    await opened.ingest().submit(table([trade]), (spec,), "x", attached=Attached((), (fact,)))
    opened.commits.clear()
    assert Outcome(1) == await service(opened, create=False).events([opened_at()])
    assert "GOLD: preset mine is gone: name its file in EVENTS_FILE" in caplog.text
    assert [2.0] == stored(opened.commits)["price"].to_pylist()


async def test_a_contract_of_several_chains_must_be_told_with_its_own(opened: Opened) -> None:
    """Also where nothing is remembered but the markets themselves."""
    trade = T(NOW * 10**6, 1.0, 10**18, block=1, log_index=1)
    for chain_id in (1, 2):
        spec = MarketSpec(f"M{chain_id}", chain_id=chain_id, contract=VAMM, order="chain")
        await opened.ingest().submit(table([trade]), (spec,), "x")
    with pytest.raises(BadRequest, match=r"events\[0\]\.chainId must be given"):
        await service(opened).events([opened_at()])
    assert Outcome(1) == await service(opened).events([opened_at() | {"chainId": 2}])


async def test_an_id_must_not_be_too_long(opened: Opened) -> None:
    sent = opened_at(None) | {"transactionHash": "x" * 250}
    with pytest.raises(BadRequest, match=r"events\[0\]\.transactionHash must be short enough"):
        await service(opened).events([sent])


async def test_logs_that_name_no_position_or_market_are_malformed(opened: Opened) -> None:
    """Whatever is wrong with them, the others are stored."""
    close, good = log_of(closed_at()), log_of(opened_at())
    short = [record(close._replace(topics=close.topics[:1], log_index=i)) for i in range(2)]
    odd = record(close._replace(topics=[*close.topics[:2], "0x" + "zz" * 32]))
    outcome = await service(opened, [CHAIN]).logs([*short, odd, record(good)], 1)
    assert Outcome(1, malformed=3) == outcome
    keyed = terms(ContractTerms(OTHER, built_in("gmx-v1")), chain_id=1)
    topic = next(iter(built_in("gmx-v1").events))
    bare = record(good._replace(address=OTHER, topics=[topic], data="0x"))
    assert Outcome(malformed=1) == await service(opened, [keyed]).logs([bare], 1)
