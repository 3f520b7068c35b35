"""What later logs leave out is remembered, and told again by the rows that are stored."""

import pyarrow as pa
import pytest

from appliance.chain import preset
from appliance.chain.decode import Decoder
from appliance.chain.log import Log, Logs
from appliance.chain.market import ContractMarket, MarketTerms
from appliance.chain.memory import Memory, mark_fraction
from appliance.chain.preset import built_in
from appliance.model import MarketSpec
from tests.chain_files import INCREASE, PRICE, START, TRADE, event
from tests.chain_logs import BOB, ETHER, Q96, VAMM, exact, rows, vamm_decoder
from tests.test_chain_vamm import STORY, closed, increased, liquidated, mark, opened

TERMS = MarketTerms(18, 18, False, "after")
GOLD = ContractMarket(VAMM, MarketSpec("GOLD"), built_in("vamm"))


def retold(decoder: Decoder, trades: pa.Table) -> Decoder:
    """Return a new decoder that knows no more than what stored rows say."""
    fresh, read = vamm_decoder(), built_in("vamm")
    for row in trades.to_pylist():
        fraction = mark_fraction(
            read, TERMS, row["kind"], int.from_bytes(row["raw_price"], "little")
        )
        if fraction is not None:
            fresh.memory.remember_mark(VAMM, fraction)
        if row["kind"] in read.side_kinds:
            fresh.memory.relearn_side(GOLD, row["position_id"], row["side"])
    assert fresh.memory == decoder.memory
    return fresh


@pytest.mark.parametrize("last", [mark(7 * ETHER, (104, 0)), liquidated(9, (104, 0))])
def test_stored_rows_tell_all_that_decoding_remembered(last: Log) -> None:
    """After a restart the same logs give the same rows, volumes to the last digit."""
    decoder = vamm_decoder()
    trades = decoder.decode(Logs.of([*STORY, last])).trades
    fresh = retold(decoder, trades)
    later = [increased(10, (105, 0)), closed(9, (105, 1)), opened(11, at=(105, 2))]
    assert rows(fresh, *later) == rows(decoder, *later)
    price = 7 if last.topics[0] == mark().topics[0] else 2
    again = rows(fresh, increased(10, (106, 0)))[0]
    assert (again["side"], again["base_volume"]) == ("sell", exact(10 * ETHER // price))


def test_a_cleared_memory_knows_nothing() -> None:
    decoder = vamm_decoder()
    rows(decoder, opened(), mark())
    assert (decoder.memory.long(VAMM, "9"), decoder.memory.mark(VAMM)) == (True, (4 * ETHER, ETHER))
    decoder.memory.clear()
    assert decoder.memory == Memory()


def test_a_forgotten_position_has_no_side() -> None:
    decoder = vamm_decoder()
    rows(decoder, opened())
    decoder.memory.forget(VAMM, "9")
    decoder.memory.forget(VAMM, "unheard of")
    assert rows(decoder, closed())[0]["side"] == ""


@pytest.mark.parametrize(
    ("kind", "raw", "fraction"),
    [
        ("mark", 3, (3, 10**18)),
        ("liquidation", 2**256 - 1, (2**256 - 1, 10**18)),
        ("mark", 0, None),
        ("open", 5, None),
        ("close", 5, None),
        ("increase", 5, None),
        ("trade", 5, None),
    ],
)
def test_only_some_kinds_tell_the_mark(kind: str, raw: int, fraction: tuple[int, int]) -> None:
    assert mark_fraction(built_in("vamm"), TERMS, kind, raw) == fraction


def test_presets_whose_trades_need_no_mark_tell_none() -> None:
    assert mark_fraction(built_in("simple-vamm"), TERMS, "mark", 5) is None
    assert mark_fraction(built_in("uniswap-v2"), TERMS, "sync", 5) is None


def test_a_square_root_is_told_again_with_the_markets_terms() -> None:
    """An inverted market remembers token0 per token1."""
    swap = event("Moved(uint256 p)", 'kind = "mark"', 'after = { sqrt_x96 = "p" }')
    read = preset.from_text(START + swap + INCREASE, "mine.toml")
    found = mark_fraction(read, MarketTerms(6, 18, True, "after"), "mark", 3 * Q96)
    assert found == (2**192 * 10**12, 9 * 2**192)


def test_a_liquidation_that_is_told_by_a_number_tells_the_mark_too() -> None:
    trade = event("A(uint256 p)", TRADE, PRICE, 'liquidated = "p"')
    read = preset.from_text(START + trade + INCREASE, "mine.toml")
    assert list(read.mark_kinds) == ["trade", "liquidation"]
    assert mark_fraction(read, TERMS, "liquidation", 8) == (8, 10**18)


def test_long_is_the_stored_side_seen_from_the_markets_base() -> None:
    inverted = ContractMarket(BOB, MarketSpec("GOLD"), built_in("uniswap-v2"), invert=True)
    memory, sides = Memory(), ("buy", "sell", "")
    for side in sides:
        memory.relearn_side(GOLD, side, side)
        memory.relearn_side(inverted, side, side)
    assert [memory.long(GOLD.market_key, side) for side in sides] == [True, False, None]
    assert [memory.long(inverted.market_key, side) for side in sides] == [False, True, None]


def test_a_market_that_is_added_later_keeps_what_is_known_of_others() -> None:
    decoder = vamm_decoder()
    rows(decoder, opened(), mark())
    decoder.add([ContractMarket(BOB, MarketSpec("SILVER"), built_in("vamm"))])
    found = rows(decoder, increased(), closed(at=(103, 0))._replace(address=BOB))
    assert [(r["market_id"], r["side"]) for r in found] == [(0, "buy"), (1, "")]
