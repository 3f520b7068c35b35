"""The vAMM presets: sides and marks are remembered, both price rules hold, volumes are exact."""

import pytest

from appliance.chain.decode import Decoder
from appliance.chain.log import Log, Logs
from appliance.chain.market import ContractMarket
from appliance.chain.preset import built_in
from appliance.model import TRADE_SCHEMA, MarketSpec, PriceRule
from tests.chain_logs import ALICE, BOB, ETHER, VAMM, exact, little, made, rows, vamm_decoder


def opened(
    position: int = 9, long: bool = True, at: tuple[int, int] = (100, 1), **changed: int
) -> Log:
    numbers = {"size": 3000 * ETHER, "price": 2 * ETHER, "leverage": 5, "fee": 7} | changed
    values = {"user": ALICE, "positionId": position, "isLong": long} | numbers
    return made(built_in("vamm"), "PositionOpened", values, at)


def closed(position: int = 9, at: tuple[int, int] = (102, 0), pnl: int = -5) -> Log:
    values = {"user": ALICE, "positionId": position, "size": ETHER, "price": 3 * ETHER}
    return made(built_in("vamm"), "PositionClosed", values | {"pnl": pnl, "fee": 1}, at)


def increased(position: int = 9, at: tuple[int, int] = (101, 3)) -> Log:
    values = {"user": ALICE, "positionId": position, "sizeAdded": 10 * ETHER}
    values |= {"newSize": 99 * ETHER, "newEntryPrice": 77 * ETHER, "fee": 2}
    return made(built_in("vamm"), "PositionIncreased", values, at)


def liquidated(position: int = 9, at: tuple[int, int] = (103, 0)) -> Log:
    values = {"user": ALICE, "positionId": position, "liquidator": BOB}
    values |= {"size": 4 * ETHER, "price": 2 * ETHER, "fee": 3}
    return made(built_in("vamm"), "PositionLiquidated", values, at)


def mark(price: int = 4 * ETHER, at: tuple[int, int] = (101, 1)) -> Log:
    values = {"newPrice": price, "totalSupply": 1, "priceChange": 2}
    return made(built_in("vamm"), "BondingCurveUpdated", values, at)


STORY = (opened(), mark(), increased(), closed(), liquidated(10), opened(10, False, (99, 0)))


@pytest.mark.parametrize("rule", ["after", "execution"])
def test_a_vamm_story_under_both_rules(rule: PriceRule) -> None:
    """Given out of order; sides are remembered and the rows ascend."""
    found = rows(vamm_decoder(rule=rule), *STORY)
    table = [
        (r["kind"], r["side"], r["execution_price"], r["mark_price"], r["position_id"])
        for r in found
    ]
    assert table == [
        ("open", "sell", 2.0, None, "10"),
        ("open", "buy", 2.0, None, "9"),
        ("mark", "", None, 4.0, ""),
        ("increase", "buy", None, None, "9"),
        ("close", "sell", 3.0, None, "9"),
        ("liquidation", "buy", 2.0, 2.0, "10"),
    ]
    chosen = "mark_price" if rule == "after" else "execution_price"
    assert [r["price"] for r in found] == [r[chosen] for r in found]
    assert [r["base_volume"] for r in found] == [
        exact(1500 * ETHER),
        exact(1500 * ETHER),
        0,
        exact(10 * ETHER // 4),  # an increase counts at the mark of its moment
        exact(ETHER // 3),
        exact(2 * ETHER),
    ]
    assert [r["quote_volume"] for r in found[1:5]] == [3000, 0, 10, 1]
    assert (found[1]["leverage"], found[1]["fee"], found[1]["trader"]) == (5.0, exact(7), ALICE)
    assert (found[4]["pnl"], found[4]["fee"]) == (exact(-5), exact(1))
    assert found[4]["raw_price"] == little(3 * ETHER)
    assert found[2]["raw_price"] == little(4 * ETHER)
    assert found[3]["raw_size"] == little(10 * ETHER)


def test_an_increase_counts_at_the_mark_of_its_place_not_of_its_arrival() -> None:
    logs = [increased(), mark(8 * ETHER, (102, 0)), mark(4 * ETHER, (101, 1)), opened()]
    volumes = {r["kind"]: r["base_volume"] for r in rows(vamm_decoder(), *logs)}
    assert volumes["increase"] == exact(10 * ETHER // 4)


def test_one_contracts_positions_are_not_anothers() -> None:
    other = "0x00000000000000000000000000000000000000bb"
    preset = built_in("vamm")
    markets = [ContractMarket(a, MarketSpec(a), preset) for a in (VAMM, other)]
    decoder = Decoder(1, markets)
    found = rows(decoder, opened(), closed()._replace(address=other.upper().replace("0X", "0x")))
    assert [(r["market_id"], r["side"]) for r in found] == [(0, "buy"), (1, "")]


def test_a_first_increase_without_any_mark_is_named() -> None:
    counts = vamm_decoder().decode(Logs.of([increased()])).counts
    assert counts.malformed == 1
    assert "mark price must be known" in counts.examples[0].reason
    assert counts.examples[0].event == "PositionIncreased"


def test_a_price_of_zero_is_named() -> None:
    counts = vamm_decoder().decode(Logs.of([opened(price=0), mark(0, (1, 1))])).counts
    assert (counts.decoded, counts.malformed) == (0, 2)
    assert {e.reason for e in counts.examples} == {
        "execution price must be above 0",
        "mark price must be above 0",
    }


def test_leverage_beyond_a_float_is_named() -> None:
    counts = vamm_decoder().decode(Logs.of([opened(leverage=2**255)])).counts
    assert "leverage must be below 3e38" in counts.examples[0].reason


def test_funding_becomes_a_mark_beside_the_rows() -> None:
    values = {"fundingRate": -12_345, "fundingIndex": 1, "premiumFraction": -1}
    log = made(built_in("vamm"), "FundingUpdated", values, (50, 3))
    decoded = vamm_decoder().decode(Logs.of([log]))
    (found,) = decoded.marks
    assert decoded.trades.num_rows == 0
    assert (found.kind, found.value, found.sequence) == ("funding", -0.00012345, 50 << 20 | 3)
    assert (found.market, found.time_us, decoded.counts.decoded) == (0, log.time_us, 1)


@pytest.mark.parametrize("price", [1, 10**15, 10**18, 10**20])
def test_small_prices_are_normal(price: int) -> None:
    (row,) = rows(vamm_decoder(), opened(price=price, size=10**9))
    assert row["execution_price"] == price / 10**18
    assert row["base_volume"] == exact(10**9 * 10**18 // price)


def test_simple_vamm_counts_dollars_in_six_decimals() -> None:
    preset = built_in("simple-vamm")
    values = {"user": ALICE, "positionId": 1, "isLong": False, "size": 30 * 10**6}
    values |= {"price": 4 * ETHER, "leverage": 3}
    first = made(preset, "PositionOpened", values, (1, 0))
    ending = {"user": ALICE, "positionId": 1, "size": 10**6, "price": 5 * ETHER, "pnl": -(10**6)}
    last = made(preset, "PositionClosed", ending, (2, 0))
    moved = made(preset, "PriceUpdated", {"newPrice": 6 * ETHER, "netPosition": -1}, (2, 1))
    found = rows(vamm_decoder("simple-vamm"), first, last, moved)
    assert [(r["kind"], r["side"], r["price"]) for r in found] == [
        ("open", "sell", None),
        ("close", "buy", None),
        ("mark", "", 6.0),
    ]
    assert (found[0]["base_volume"], found[0]["quote_volume"]) == (exact(75, 1), 30)
    assert (found[1]["pnl"], found[1]["base_volume"]) == (-1, exact(2, 1))


def test_a_bool_is_zero_or_one() -> None:
    log = opened()
    wrong = log._replace(data="0x" + f"{2:064x}" + log.data[66:])
    counts = vamm_decoder().decode(Logs.of([wrong])).counts
    assert counts.examples[0].reason == "isLong must be of type bool"


def test_tables_have_the_schema_in_one_piece() -> None:
    table = vamm_decoder().decode(Logs.of(STORY)).trades
    assert table.schema.equals(TRADE_SCHEMA)
    assert all(column.num_chunks == 1 for column in table.columns)
    table.validate(full=True)
