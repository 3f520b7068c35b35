"""Two nodes that do everything wrong at once: what is stored is complete and in order all the same.

Faults change all the time, by seed. Where nothing gets through any more the reason is told, and
following goes on from what is stored, as after a restart.
"""

import random
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest

from appliance.errors import Retryable
from tests.conftest import Opened
from tests.fake_answers import Faults
from tests.fake_chain import FakeChain
from tests.fake_rpc import FakeNode
from tests.following_world import Followed, Trader, expected, following, stored
from tests.test_following_follower import trading
from tests.test_following_source import running

BLANKS = 0.15
RANGE_WORDINGS = (
    (-32000, "block range is too wide"),
    (-32600, "eth_getLogs is limited to a {max} block range"),
    (-32005, "exceed maximum block range: {max}"),
    (-32602, "query exceeds max block range {max}"),
    (-32000, "Log response size exceeded. this block range should work: [{from_hex}, {to_hex}]"),
)
RESULT_WORDINGS = (
    (-32005, "query returned more than {max} results"),
    (-32005, "more than {max} results. Try with this block range [{from_hex}, {to_hex}]."),
    (-32602, "query exceeds max results {max}, retry with the range {first}-{last}"),
)
Report = Callable[[str], None]


@dataclass
class Hostile:
    """A chain that goes on and changes its mind, and its nodes."""

    opened: Opened
    seed: int
    reasons: list[str] = field(default_factory=list)
    rounds: int = 0
    caught: int = 0

    def __post_init__(self) -> None:
        """Let there be some history."""
        self.random = random.Random(self.seed)
        self.chain: FakeChain
        self.trader: Trader
        self.chain, self.trader = trading(300, self.seed, share=0.5)
        self.nodes = [FakeNode(self.chain), FakeNode(self.chain)]

    def change_faults(self) -> None:
        """Let both nodes be bad in new ways; what one lacks for good the other has."""
        lacks = self.random.choice(("behind", "far behind", "blooms", "batches", "archive", ""))
        self.random.shuffle(self.nodes)
        for number, node in enumerate(self.nodes):
            node.faults = self._passing(Faults(blank_share=BLANKS))
            self._narrow(node.faults)
            node.faults.block_time = self.random.random() < 0.7
            if number == 0:
                node.faults.behind = {"behind": 3, "far behind": 40}.get(lacks, 0)
                node.faults.zero_bloom = lacks == "blooms"
                node.faults.batches = lacks != "batches"
                node.faults.archive = lacks != "archive"

    def _passing(self, faults: Faults) -> Faults:
        """Spoil the next answers, and none after."""
        faults.times = self.random.randint(1, 12)
        kind = self.random.choice(("429", "503", "html", "truncated", "error", "well"))
        if kind == "429":
            faults.status, faults.retry_after = 429, self.random.choice(("0", "2", None))
        elif kind == "503":
            faults.status, faults.retry_after = 503, self.random.choice(("1", None))
        elif kind == "html":
            faults.body = "<html><h1>502 Bad Gateway</h1></html>"
        elif kind == "truncated":
            faults.truncated = True
        elif kind == "error":
            faults.error = (-32603, "internal error")
        return faults

    def _narrow(self, faults: Faults) -> None:
        if self.random.random() < 0.5:
            faults.max_range = self.random.choice((5, 40))
            faults.range_error = self.random.choice(RANGE_WORDINGS)
        if self.random.random() < 0.5:
            faults.max_results = self.random.choice((8, 30))
            faults.results_error = self.random.choice(RESULT_WORDINGS)

    def go_on(self) -> None:
        """Mine some blocks, and replace some."""
        for _ in range(self.random.choice((0, 1, 3, 60))):
            self.chain.mine(self.trader.logs(self.random.randrange(3)))
        if self.random.random() < 0.5:
            depth = self.random.choice((1, 2, 12, 50))
            self.chain.reorg(depth, *(self.trader.logs(1) for _ in range(depth + 1)))

    async def run(self, rounds: int) -> None:
        """Follow through all of it, then until a lie was caught: what was believed is seen then."""
        async with AsyncExitStack() as stack:
            for node in self.nodes:
                await stack.enter_async_context(node)
            other = await stack.enter_async_context(FakeNode(FakeChain(chain_id=1)))
            nodes = [*self.nodes, *([other] if self.seed % 2 else [])]
            for _ in range(rounds):
                self.rounds += 1
                self.go_on()
                self.change_faults()
                await self._follow(nodes, self._to_the_head)
            await self._follow(nodes, self._until_caught)

    async def _follow(self, nodes: Sequence[FakeNode], work: Callable[[Followed], object]) -> None:
        for _ in range(30):
            try:
                async with following(self.opened, nodes) as world:
                    await work(world)  # type: ignore[misc] # both are async
                    return
            except Retryable as error:
                self.reasons.append(str(error))
        raise AssertionError(self.reasons[-30:])

    async def _to_the_head(self, world: Followed) -> None:
        for _ in range(4):
            self.chain.mine(self.trader.logs(self.random.randrange(3)))
            await self._reach(world)

    async def _reach(self, world: Followed) -> None:
        """Follow until the head is processed, letting time pass: nodes rest after failures."""
        for _ in range(1_000):
            await world.follower.follow(await world.pool.head())
            tip = world.intake.trail.tip
            if tip is not None and tip.hash == self.chain.head.hash:
                return
            await world.pool._waiting.sleep(1.0)
        raise AssertionError(f"stands still at {world.intake.trail.tip}")

    async def _until_caught(self, world: Followed) -> None:
        for node in self.nodes:
            node.faults = Faults(blank_share=BLANKS, no_bloom=True)
        while not world.follower.reader.lies:
            self.chain.mine(self.trader.logs(1))
            await self._reach(world)
        for _ in range(3):
            self.chain.mine(self.trader.logs(1))
            await self._reach(world)
        self.caught += world.follower.reader.lies


def assert_in_order(opened: Opened) -> None:
    """Between retractions, each market's trades were told in the order of the chain."""
    newest: dict[int, int] = {}
    for commit in opened.commits:
        for revision in commit.revisions:
            newest.pop(revision.market_id, None)
        table = commit.trades.select(["market_id", "sequence"]).to_pylist()
        for row in table:
            assert row["sequence"] > newest.get(row["market_id"], -1)
            newest[row["market_id"]] = row["sequence"]


async def survive(opened: Opened, seed: int, rounds: int) -> Hostile:
    """Follow two hostile nodes, and compare."""
    hostile = Hostile(opened, seed)
    await hostile.run(rounds)
    assert expected(hostile.chain) == stored(opened)
    assert_in_order(opened)
    assert all(hostile.reasons), "every refusal says why"
    return hostile


@pytest.mark.parametrize("seed", range(2))
async def test_two_hostile_nodes_are_enough(opened: Opened, seed: int) -> None:
    """The short form of the next."""
    await survive(opened, seed, 4)


@pytest.mark.fault
@pytest.mark.parametrize("seed", range(100, 130))
async def test_hostile_nodes(opened: Opened, seed: int, report: Report) -> None:
    """429, 503, HTML, cut JSON, caps, blank answers, one behind, one on another chain."""
    hostile = await survive(opened, seed, 12)
    asked = sum(node.posts for node in hostile.nodes)
    report(
        f"{hostile.rounds} rounds of faults, {hostile.chain.head.number} blocks, {asked:,} "
        f"questions, {len(hostile.reasons)} times begun anew: complete and in order"
    )


# -- refused, with the reason --


async def test_another_chain_of_the_same_id_is_refused_with_the_reason(opened: Opened) -> None:
    """Nothing that is stored is lost to it, and the right node makes it well again."""
    async with running(opened) as world:
        await world.until_at(60)
        rows = stored(opened)
        honest = world.node.chain
        fork, _ = trading(90, seed=5, genesis="another")
        fork.chain_id = honest.chain_id
        world.node._answers.chain = fork
        state = await world.until(lambda s: s.state == "failing")
        assert "block 0 is" in (state.reason or "")
        assert rows == stored(opened)
        world.node._answers.chain = honest
        honest.mine(world.trader.logs(1))
        await world.until_at(61)


async def test_nodes_that_always_hide_a_block_are_refused_with_the_reason(opened: Opened) -> None:
    """Its header proves that it holds logs: it is not believed to be empty."""
    async with running(opened) as world:
        await world.until_at(60)
        world.chain.mine(world.trader.logs(2))
        await world.until_at(61)
        world.node.faults = Faults(blank_share=1.0)
        world.chain.mine(world.trader.logs(2))
        state = await world.until(lambda s: s.state == "failing")
        assert "block 62 must hold logs" in (state.reason or "")
        world.node.faults = Faults()
        await world.until_at(62)
    assert expected(world.chain) == stored(opened)
