"""Where following could go wrong: crash points, reorgs at bad moments, nodes that mislead."""

from collections.abc import Callable
from typing import Any

import pytest

from appliance.following.beliefs import MOST, Beliefs
from appliance.following.reader import Asked, Reader
from appliance.following.terms import ContractTerms
from appliance.following.trail import Block, Trail
from appliance.following.width import Width
from appliance.model import Checkpoint
from tests.chain_logs import ALICE, ETHER, made
from tests.conftest import Opened, Opener
from tests.fake_answers import Faults
from tests.fake_chain import START_TIME, FakeChain, FakeLog
from tests.fake_rpc import FakeNode
from tests.following_world import (
    CREATED,
    FACTORY,
    VAMM,
    creation,
    expected,
    following,
    market_address,
    stored,
)
from tests.test_following_follower import trading

Call = dict[str, Any]


def spy(node: FakeNode, look: Callable[[str, list[Any]], object]) -> None:
    """Call `look` before each answer; what it returns is the answer, None lets the node answer."""
    answers = node._answers
    result = answers._result

    def spied(method: str, params: list[Any]) -> object:
        found = look(method, params)
        return result(method, params) if found is None else found

    answers._result = spied  # type: ignore[method-assign]


def is_logs(method: str, params: list[Any], by: str = "fromBlock") -> bool:
    return method == "eth_getLogs" and by in params[0]


def is_trades(method: str, params: list[Any]) -> bool:
    """Return whether this asks for a range of all events, not only for new markets."""
    return is_logs(method, params) and len(params[0]["topics"][0]) > len(VAMM.creation_topics)


def mark(market: int, price: int = ETHER) -> FakeLog:
    values = {"newPrice": price, "totalSupply": 1, "priceChange": 0}
    log = made(VAMM, "BondingCurveUpdated", values, address=market_address(market))
    return FakeLog(log.address, log.topics, log.data)


def named(number: int, symbol: str) -> FakeLog:
    """Return the log by which a factory makes a market, with a symbol."""
    from eth_abi.abi import encode

    topics = [f"0x{number:064x}", f"0x{int(market_address(number), 16):064x}", "0x" + "0" * 64]
    types = ["string", "address", "address", "uint256", "uint8"]
    data = encode(types, [symbol, ALICE, ALICE, ETHER, 0]).hex()
    return FakeLog(FACTORY, [CREATED.topic0, *topics], "0x" + data)


# -- the trail --


def test_orphans_do_not_come_back_with_a_restart() -> None:
    """After a deep reorg blocks are read by ranges: the ring still holds what they replaced."""
    trail, store = Trail(1), dict[str, str]()

    def remember(rows: tuple[Checkpoint, ...]) -> None:
        store.update((row.key, row.value) for row in rows)

    def push(*numbers: int, fork: str) -> None:
        new = [Block(n, f"0x{n}{fork}", 12 * n) for n in numbers]
        remember(trail.checkpoints(new))
        trail.push(new)

    push(*range(1, 150), fork="a")
    remember(trail.cut_checkpoints(50))
    trail.cut(50)
    push(113, 177, fork="b")
    again = Trail(1)
    again.load(store)
    assert trail._blocks == again._blocks


def test_beliefs_that_touch_become_one_and_come_back() -> None:
    """In any order, also after a cut; those of late contracts are not remembered."""
    beliefs, store = Beliefs(1), dict[str, str]()

    def remember() -> None:
        rows = beliefs.checkpoints()
        store.update((row.key, row.value) for row in rows)
        beliefs.said(rows)

    beliefs.add("all", 64, 127)
    beliefs.add("all", 0, 63)
    beliefs.add("factories", 128, 200)
    remember()
    beliefs.add("all", 192, 200)
    beliefs.add("late", 0, 9)
    beliefs.add("all", 128, 191)
    beliefs.cut(196)
    remember()
    again = Beliefs(1)
    again.load(store)
    assert again.take() == [(0, 195, "all"), (128, 195, "factories")]
    assert (0, 9, "late") in beliefs.take()
    remember()
    assert not any(store.values())


def test_beliefs_are_not_remembered_without_end() -> None:
    """The newest are kept."""
    beliefs = Beliefs(1)
    for number in range(0, 10 * MOST, 2):
        beliefs.add("all", number, number)
    found = beliefs.take()
    assert (MOST, 10 * MOST - 2) == (len(found), found[-1].first)


# -- blooms --


async def test_a_bloom_that_is_right_by_chance_stops_nothing(opened: Opened) -> None:
    """A market emits an event of no interest, and someone else one of interest."""
    chain, trader = trading(60)
    async with FakeNode(chain) as node, following(opened, [node]) as world:
        await world.follow()
        chain.mine(trader.logs(3))
        await world.follow()
        other = FakeLog(market_address(1), ["0x" + "77" * 32])
        chain.mine([other, FakeLog("0x" + "66" * 20, mark(1).topics, mark(1).data)])
        await world.follow()
    assert expected(chain) == stored(opened)


@pytest.mark.parametrize("lazy", [0, 1])
async def test_one_node_without_blooms_beside_an_honest_one(opened: Opened, lazy: int) -> None:
    """Zeros prove nothing, also after another node's header told the truth."""
    chain, trader = trading(60)
    faults = [Faults(), Faults()]
    faults[lazy].zero_bloom = True
    async with (
        FakeNode(chain, faults[0]) as node,
        FakeNode(chain, faults[1]) as other,
        following(opened, [node, other]) as world,
    ):
        await world.follow()
        for _ in range(40):
            chain.mine(trader.logs(2))
            await world.follow()
    assert expected(chain) == stored(opened)


# -- nodes that lag --


async def test_a_node_that_lags_does_not_make_a_reorg_deep(opened: Opened) -> None:
    """It lacks the newest blocks, which is no reason to retract them."""
    chain, trader = trading(200)
    async with (
        FakeNode(chain) as well,
        FakeNode(chain) as lagging,
        following(opened, [lagging, well]) as world,
    ):
        await world.follow()
        lagging.faults.behind = 40
        well.faults.latency_s = 0.02
        for _ in range(5):
            chain.reorg(2, trader.logs(2), trader.logs(1), trader.logs(1))
            await world.follow()
    assert expected(chain) == stored(opened)
    assert max(step.depth for step in world.steps) <= 2


async def test_a_node_that_begins_anew_takes_nothing_away(opened: Opened) -> None:
    """Its head is the first block: everything stored stays."""
    chain, trader = trading(200)
    async with (
        FakeNode(chain) as well,
        FakeNode(chain) as syncing,
        following(opened, [syncing, well]) as world,
    ):
        await world.follow()
        syncing.faults.behind = 10_000
        well.faults.latency_s = 0.02
        chain.reorg(1, trader.logs(2), trader.logs(1))
        await world.follow()
    assert expected(chain) == stored(opened)
    assert max(step.depth for step in world.steps) <= 1


# -- reorgs at bad moments --


async def test_a_reorg_deeper_than_the_trail_begins_anew_with_the_first_block(
    open_store: Opener,
) -> None:
    """Also after a restart, which begins where the former one ended."""
    chain, trader = trading(300)
    async with FakeNode(chain) as node:
        opened = open_store()
        async with following(opened, [node]) as world:
            await world.follow()
        opened.store.close()
        opened = open_store()
        async with following(opened, [node]) as world:
            await world.follow()
            chain.reorg(299, *(trader.logs(1) for _ in range(305)))
            await world.follow()
        assert expected(chain) == stored(opened)


async def test_a_market_of_a_block_that_is_gone_is_not_kept(opened: Opened) -> None:
    """The block is replaced while its logs are read; the same contract gets another symbol."""
    chain, _ = trading(60)
    state = {"seen": 0}
    async with FakeNode(chain) as node, following(opened, [node]) as world:
        await world.follow()

        def look(method: str, params: list[Any]) -> None:
            if is_logs(method, params, "blockHash"):
                state["seen"] += 1
                if state["seen"] == 2:  # the creation was heard: its trades are read now
                    chain.reorg(1, [named(50, "SILVER"), mark(50)], [mark(50)])

        spy(node, look)
        chain.mine([named(50, "GOLD"), mark(50)])
        await world.follow()
    assert state["seen"] >= 2
    symbols = [row["symbol"] for row in stored(opened)]
    assert (0, 2) == (symbols.count("GOLD"), symbols.count("SILVER"))


async def test_a_market_that_appears_by_a_reorg_in_the_backfill_is_not_missed(
    opened: Opened,
) -> None:
    """The factory was read already; a reorg below its markets' trades makes another one."""
    chain, _ = trading(400)
    node = FakeNode(chain)
    state = {"done": False}

    def look(method: str, params: list[Any]) -> None:
        if is_trades(method, params) and not state["done"]:
            state["done"] = True
            blocks = [[named(60, "LATE"), mark(60)], *([mark(60)] for _ in range(100))]
            chain.reorg(100, *blocks)

    spy(node, look)
    async with node, following(opened, [node]) as world:
        await world.follow()
    assert state["done"]
    assert 101 == sum(row["symbol"] == "LATE" for row in stored(opened))


# -- contracts that are configured late --


class Killed(Exception):
    """The process died here."""


async def test_a_reorg_after_an_interrupted_catching_up_is_corrected(open_store: Opener) -> None:
    """What the late contract did in blocks that are gone stands in nobody's way."""
    chain, trader = trading(150)
    known, late = (ContractTerms(market_address(n), VAMM) for n in (1, 2))
    async with FakeNode(chain) as node:
        opened = open_store()
        async with following(opened, [node], [known]) as world:
            await world.follow()
        opened.store.close()
        opened = open_store()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("appliance.following.intake.Intake.caught_up", _killed)
            with pytest.raises(Killed):
                async with following(opened, [node], [known, late]):
                    raise AssertionError("was not killed")
        opened.store.close()
        chain.reorg(20, *(trader.fake(2) for _ in range(25)))
        opened = open_store()
        async with following(opened, [node], [known, late]) as world:
            await world.follow()
        fresh = [r for r in expected(chain) if r["symbol"] in ("M1", "M2")]
        assert len(fresh) == len(stored(opened))


async def _killed(*_: object, **__: object) -> None:
    raise Killed


async def test_a_catching_up_that_is_repeated_decodes_the_same(open_store: Opener) -> None:
    """What the first time left in memory (a later mark) is not there when it begins again."""
    chain, _ = trading(10)
    who = {"user": ALICE, "positionId": 7}
    more = {"sizeAdded": ETHER, "newSize": ETHER, "newEntryPrice": ETHER, "fee": 1}
    log = made(VAMM, "PositionIncreased", who | more, address=market_address(2))
    chain.mine([FakeLog(log.address, log.topics, log.data)])
    for price in range(1, 60):
        chain.mine([mark(1), mark(2, price * ETHER)])
    known, late = (ContractTerms(market_address(n), VAMM) for n in (1, 2))
    async with FakeNode(chain) as node:
        opened = open_store()
        async with following(opened, [node], [known], start_block=11) as world:
            await world.follow()
        opened.store.close()
        opened = open_store()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("appliance.following.intake.Intake.caught_up", _killed)
            with pytest.raises(Killed):
                async with following(opened, [node], [known, late], start_block=11):
                    raise AssertionError("was not killed")
        opened.store.close()
        opened = open_store()
        async with following(opened, [node], [known, late], start_block=11) as world:
            await world.follow()
        assert 59 + 59 == len(stored(opened)), "an increase before the first mark has no size"


# -- blank answers --


async def test_what_was_believed_before_a_restart_is_asked_again(open_store: Opener) -> None:
    """A node that lied twice about one range is caught at another, after a kill."""
    chain, trader = trading(200, share=1.0)
    state = {"lies": 2}

    def look(method: str, params: list[Any]) -> object:
        if is_trades(method, params) and state["lies"] and int(params[0]["fromBlock"], 16) == 64:
            state["lies"] -= 1
            return []
        return None

    async with FakeNode(chain) as node:
        spy(node, look)
        opened = open_store()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("appliance.following.follower.Follower._found_more", _killed)
            with pytest.raises(Killed):
                async with following(opened, [node]) as world:
                    await world.follow()
        assert not state["lies"]
        opened.store.close()
        for _ in range(100):
            chain.mine(trader.logs(1))
        once = {"left": 1}

        def blank(method: str, params: list[Any]) -> object:
            if is_trades(method, params) and once["left"]:
                once["left"] -= 1
                return []
            return None

        spy(node, blank)
        opened = open_store()
        async with following(opened, [node]) as world:
            await world.follow()
            await world.follow()
        assert expected(chain) == stored(opened)


async def test_near_blocks_that_were_believed_empty_are_asked_again(opened: Opened) -> None:
    """On a chain without blooms: the node lies twice, and is caught a few blocks later."""
    chain, trader = trading(60)
    lies: dict[str, int] = {}

    def look(method: str, params: list[Any]) -> object:
        if is_logs(method, params, "blockHash") and lies.get(params[0]["blockHash"], 0):
            lies[params[0]["blockHash"]] -= 1
            return []
        return None

    async with FakeNode(chain, Faults(zero_bloom=True)) as node:
        spy(node, look)
        async with following(opened, [node]) as world:
            await world.follow()
            lies[chain.mine(trader.logs(2)).hash] = 2
            await world.follow()
            chain.mine(trader.logs(2))
            await world.follow()
            lies[chain.mine(trader.logs(2)).hash] = 1
            await world.follow()
            chain.mine(trader.logs(2))
            await world.follow()
    assert expected(chain) == stored(opened)


async def test_the_first_log_is_not_missed_for_a_blank_answer(opened: Opened) -> None:
    """Without old states the first log decides where history begins."""
    chain, start = FakeChain(), START_TIME
    chain.deploy(FACTORY)
    for number in range(1, 3_001):  # in 20 days
        logs = [creation(1)] if number == 50 else [mark(1)] if number > 50 else []
        chain.mine(logs, time=start + 600 * number)
    state = {"lies": 1}

    def look(method: str, params: list[Any]) -> object:
        if is_logs(method, params) and state["lies"]:
            state["lies"] -= 1
            return []
        return None

    async with FakeNode(chain, Faults(archive=False)) as node:
        spy(node, look)
        async with following(opened, [node]) as world:
            assert world.follower.first <= 51


# -- limits --


async def test_a_block_above_the_limit_of_results_is_read_in_parts(opened: Opened) -> None:
    """By contracts and by events, as far as that goes."""
    chain, trader = trading(100)
    chain.mine(trader.logs(60))
    chain.mine_empty(80)
    async with FakeNode(chain, Faults(max_results=25)) as node, following(opened, [node]) as world:
        await world.follow()
        chain.mine(trader.logs(60))
        await world.follow()
    assert expected(chain) == stored(opened)


class OneNode:
    """A pool of one."""

    def __init__(self, endpoint: Any) -> None:
        self.endpoint = endpoint

    async def run(self, work: Any, *, height: int = 0, avoid: Any = ()) -> Any:
        return await work(self.endpoint)


async def test_a_width_counts_what_was_answered_not_what_was_wanted() -> None:
    """With too many contracts to name, foreign logs fill the answers."""
    from appliance.metrics import Metrics
    from appliance.rpc.endpoint import Endpoint

    chain = FakeChain()
    foreign = FakeLog("0x" + "66" * 20, mark(1).topics, mark(1).data)
    for _ in range(300):
        chain.mine([foreign] * 60 + [mark(1)])
    asked = Asked(tuple(market_address(n) for n in range(1, 1_001)), tuple(VAMM.topics))
    async with FakeNode(chain) as node:
        endpoint = Endpoint(node.url, node.name, Metrics())
        await endpoint.open()
        width = Width()
        for first in range(1, 257, 64):
            found = await Reader(OneNode(endpoint)).far(asked, first, first + 63, width)
            assert 64 == sum(len(far.logs) for far in found)
        await endpoint.close()
    assert width.blocks < 80
