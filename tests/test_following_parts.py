"""The parts of following that need neither a node nor a store."""

import asyncio
import random

import pytest

from appliance.following.bloom import Question
from appliance.following.progress import Progress, spoken
from appliance.following.trail import SIZE, Block, Trail
from appliance.following.width import FIRST, LOGS_WANTED, WIDEST, Width
from appliance.model import Checkpoint
from appliance.rpc.errors import RangeTooWide, TooManyResults, Unavailable
from tests.fake_chain import FakeBlock, FakeLog

A, B = "0x" + "aa" * 20, "0x" + "bb" * 20
TOPIC, OTHER = "0x" + "11" * 32, "0x" + "22" * 32


def blocks(first: int, last: int, fork: str = "") -> list[Block]:
    """Return blocks of a chain."""
    return [Block(n, f"0x{n}{fork}", 1_000 + 12 * n) for n in range(first, last + 1)]


# -- the trail --


@pytest.mark.parametrize("length", [0, 1, 2, 7, 100])
def test_the_ancestor_is_the_newest_block_that_is_there(length: int) -> None:
    """Wherever the chain parted; few blocks are asked about."""
    trail = Trail(1)
    trail.push(blocks(0, length - 1))
    for parted in range(length + 1):
        asked: list[int] = []

        async def is_there(block: Block, parted: int = parted, asked: list[int] = asked) -> bool:
            asked.append(block.number)
            return block.number < parted

        found = asyncio.run(trail.ancestor(is_there))
        assert (found.number if found else -1) == parted - 1
        assert len(asked) <= 2 * max(1, length).bit_length() + 1


def test_a_trail_comes_back_as_it_was_remembered() -> None:
    """Also after a cut, of which only the cursor tells; the newest SIZE blocks are kept."""
    trail, store = Trail(1), dict[str, str]()

    def remember(rows: tuple[Checkpoint, ...]) -> None:
        store.update((row.key, row.value) for row in rows)

    trail.genesis = "0xabc"
    for first in range(0, 3_000, 7):
        new = blocks(first, first + 6)
        remember(trail.checkpoints(new))
        trail.push(new)
    again = Trail(1)
    again.load(store)
    assert [trail.tip, "0xabc"] == [again.tip, again.genesis]
    assert again.below(again.tip.number - SIZE if again.tip else 0) is None
    assert trail.below(2_500) == again.below(2_500) == blocks(2_500, 2_500)[0]
    remember(trail.cut_checkpoints(2_000))
    trail.cut(2_000)
    again.load(store)
    assert trail.tip == again.tip == blocks(1_999, 1_999)[0]
    fork = blocks(2_000, 2_010, "b")
    remember(trail.checkpoints(fork))
    trail.push(fork)
    again.load(store)
    assert again.below(2_005) == fork[5]
    remember(trail.cut_checkpoints(0))
    again.load(store)
    assert again.tip is None


def test_the_time_of_a_block_follows_the_newest_ones() -> None:
    """A guess before two are known."""
    trail = Trail(1)
    assert trail.block_s > 0
    trail.push([Block(n, str(n), 10 * n) for n in (1, 2, 40)])
    assert trail.block_s == 10


# -- blooms --


def test_a_bloom_proves_absence_only() -> None:
    """Of one's own addresses and topics, in a block of others'."""
    block = FakeBlock(1, "0x1", "0x0", 1, (FakeLog(A, [TOPIC]),))
    assert Question([A], [TOPIC]).may_hold(block.bloom)
    assert Question([B, A], [OTHER, TOPIC]).may_hold(block.bloom)
    assert not Question([B], [TOPIC]).may_hold(block.bloom)
    assert not Question([A], [OTHER]).may_hold(block.bloom)
    assert Question([], [TOPIC]).may_hold(block.bloom)


def test_the_doubt_is_how_often_a_bloom_is_wrong() -> None:
    """Small in an empty block, large in a full one, and about what is counted."""
    dice = random.Random(3)
    logs = [FakeLog(f"0x{dice.getrandbits(160):040x}", [f"0x{i:064x}"]) for i in range(220)]
    bloom = FakeBlock(1, "0x1", "0x0", 1, tuple(logs)).bloom
    questions = [
        Question([f"0x{dice.getrandbits(160):040x}"], [f"0x{dice.getrandbits(256):064x}"])
        for _ in range(4_000)
    ]
    wrong = sum(question.may_hold(bloom) for question in questions) / len(questions)
    assert abs(wrong - questions[0].doubt(bloom)) < 0.03
    few = FakeBlock(1, "0x1", "0x0", 1, tuple(logs[:3])).bloom
    assert questions[0].doubt(few) < 1e-6


# -- how wide a question is --


def test_a_width_grows_while_answers_are_small_and_shrinks_when_they_are_not() -> None:
    """Toward the number of logs that is wanted."""
    width = Width()
    assert width.blocks == FIRST
    for _ in range(20):
        width.answered(width.blocks, 0)
    assert width.blocks == WIDEST
    width.answered(width.blocks, 4 * LOGS_WANTED)
    assert width.blocks == WIDEST // 4


def test_a_refusal_is_obeyed() -> None:
    """Its advice where it gives one, else half; never more than was refused."""
    width = Width(10_000)
    assert 1_000 == width.refused(0, 9_999, RangeTooWide("at most 1,000", width=1_000))
    for _ in range(20):
        width.answered(width.blocks, 0)
    assert 1_000 == width.blocks, "it stays below what was said"
    for _ in range(20):
        width.answered(width.blocks, 0)
    assert 1_000 < width.blocks < 1_300, "and tries a little more after a while"
    assert 101 == width.refused(500, 999, TooManyResults("try 500-600", span=(500, 600)))
    assert 50 == width.refused(0, 99, Unavailable("took too long"))
    assert 1 == width.refused(7, 8, RangeTooWide("no", width=50))


# -- progress --


def test_the_rest_is_told_by_the_speed_of_late() -> None:
    """Nothing is told before it is known."""
    now = [0.0]
    progress = Progress("chain 1", lambda: now[0])
    assert progress.seconds_left(1_000) is None
    for second in range(100):
        now[0] = float(second)
        progress.update(0, 100 + (10 * second if second < 50 else 500 + 20 * (second - 50)), 5_000)
    assert progress.done == pytest.approx(1_581 / 5_001)
    assert progress.seconds_left(5_000) == pytest.approx((5_000 - 1_580) / 20, rel=0.01)
    progress.close()
    assert progress.seconds_left(5_000) is None


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (40, "40 s"), (700, "12 min"), (12_600, "3.5 h")]
)
def test_a_time_is_told_as_people_do(seconds: float, words: str) -> None:
    """Rounded to what it is worth."""
    assert words == spoken(seconds)
