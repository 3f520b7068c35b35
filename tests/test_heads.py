"""What is final, and what is not yet."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.heads import LATE_S, Heads, closes_by_chain
from appliance.interval import parse
from appliance.model import Candles, Commit, Market, MarketId, MarketSpec, Revision
from tests.live_oracle import FAKE, GOLD, NOON, WETH, candles, deal, table

MINUTE = parse("1m")
OTHER = Market(MarketId(9), MarketSpec("X", chain_id=2, contract="0xbb", order="chain"))


def at(block: int, log_index: int = 0) -> int:
    return block << 20 | log_index


def blocks(*numbers: int) -> Candles:
    """Return minutes of WETH with one trade each, in these blocks."""
    deals = [deal(60 * i, 1.0, at(n, 3), market=WETH) for i, n in enumerate(numbers)]
    return candles(deals, MINUTE)


@pytest.mark.parametrize("market", [GOLD, FAKE, WETH, OTHER])
def test_without_a_follower_all_is_final(market: Market) -> None:
    """Imports, posted trades and the demo have no reorgs that we would hear of."""
    heads = Heads()
    heads.processed(1, NOON)
    assert heads.is_final(market, at(10**9), NOON)
    assert heads.provisional_from(market, MINUTE, blocks(1, 2)) is None


def test_a_candle_is_final_with_the_block_of_its_last_trade() -> None:
    heads = Heads()
    heads.finalized(1, 100)
    assert heads.is_final(WETH, at(100, 2**20 - 1), NOON)
    assert not heads.is_final(WETH, at(101), NOON)
    assert heads.is_final(OTHER, at(101), NOON)
    assert (closes_by_chain(FAKE), heads.is_final(FAKE, at(101), NOON)) == (False, True)


def test_with_the_block_s_time_later_blocks_of_the_bucket_count_too() -> None:
    """Another fork may still trade before the bucket's end."""
    heads = Heads()
    heads.finalized(1, 100, NOON + 59)
    assert not heads.is_final(WETH, at(90), NOON + 60)
    heads.finalized(1, 101, NOON + 60)
    assert heads.is_final(WETH, at(90), NOON + 60)


def test_finality_never_moves_back() -> None:
    """Not by an older block, nor by one whose time is not known, and not by a reorg."""
    heads = Heads()
    heads.finalized(1, 99, NOON + 60)
    heads.finalized(1, 100)
    heads.finalized(1, 7, NOON)
    assert not heads.is_final(WETH, at(100), NOON + 61)
    gone = Revision(WETH.id, NOON, NOON + 60)
    heads.follow(Commit(1, table([]), (WETH,), (gone,)))
    assert heads.is_final(WETH, at(100), NOON)
    assert heads.time(WETH) == 0


def test_a_followed_chain_may_have_no_final_block_yet() -> None:
    heads = Heads()
    heads.finalized(1, -1)
    assert not heads.is_final(WETH, at(0), NOON)
    assert heads.provisional_from(WETH, MINUTE, blocks(0, 1)) == NOON


@pytest.mark.parametrize(
    ("final", "expected"), [(0, 0), (1, 1), (2, 1), (4, 2), (7, 3), (8, None), (99, None)]
)
def test_the_first_candle_that_is_not_final_is_found(final: int, expected: int | None) -> None:
    heads = Heads()
    heads.finalized(1, final)
    first = heads.provisional_from(WETH, MINUTE, blocks(1, 4, 6, 8))
    assert (None if expected is None else NOON + 60 * expected) == first


@given(st.lists(st.integers(0, 50), max_size=20), st.integers(-1, 51), st.data())
def test_bisection_finds_what_looking_at_each_would(
    steps: list[int], final: int, data: st.DataObject
) -> None:
    """For any ascending blocks, with and without the final block's time."""
    ascending = sorted(steps)
    time = data.draw(st.none() | st.integers(NOON, NOON + 60 * 20))
    heads, found = Heads(), blocks(*ascending)
    heads.finalized(1, final, time)
    each = [
        start
        for start, last in zip(found.time, found.last_sequence, strict=True)
        if not heads.is_final(WETH, last, start + 60)
    ]
    assert (each[0] if each else None) == heads.provisional_from(WETH, MINUTE, found)


@pytest.mark.parametrize(
    ("market", "finality", "to", "settled"),
    [
        (GOLD, None, NOON - LATE_S, True),
        (GOLD, None, NOON - LATE_S + 1, False),
        (WETH, None, NOON - LATE_S, True),
        (WETH, (5,), NOON - 10**6, False),  # when that block was is not known
        (WETH, (5, NOON - 900), NOON - 900, True),
        (WETH, (5, NOON - 900), NOON - 899, False),
    ],
)
def test_history_settles_with_finality_or_time(
    market: Market, finality: Any, to: int, settled: bool
) -> None:
    heads = Heads()
    if finality:
        heads.finalized(1, *finality)
    assert settled == heads.is_settled(market, to, NOON)
