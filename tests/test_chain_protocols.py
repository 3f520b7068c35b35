"""Every built-in protocol but the vAMMs and Uniswap v3: price, side and volume worked out by hand.

The rules are those of EVENTS.md; each test's docstring does the sums.
"""

from collections.abc import Callable
from typing import Any

import pytest

from appliance.chain.decode import Decoder
from appliance.chain.log import Logs
from appliance.chain.market import ContractMarket
from appliance.chain.preset import built_in
from appliance.errors import ConfigError
from appliance.model import MarketSpec, PriceRule
from tests.chain_logs import ALICE, BOB, ETHER, Q96, VAMM, exact, key_of, made

Events = list[tuple[str, dict[str, Any]]]


def decoded(name: str, events: Events, key: str = "", **market: Any) -> list[dict[str, Any]]:
    """Return the rows of the events, which follow each other in block 1."""
    return placed(name, [(1, *event) for event in events], key, **market)


def placed(
    name: str, events: list[tuple[int, str, dict[str, Any]]], key: str = "", **market: Any
) -> list[dict[str, Any]]:
    """Return the rows of events, each with its block."""
    read = built_in(name)
    decoder = Decoder(1, [ContractMarket(VAMM, MarketSpec("X"), read, key=key, **market)])
    logs = [made(read, n, v, (block, i)) for i, (block, n, v) in enumerate(events)]
    result = decoder.decode(Logs.of(logs))
    assert result.counts.malformed == 0, result.counts.examples
    rows: list[dict[str, Any]] = result.trades.to_pylist()
    return rows


# Constant product pools: 6 decimals for token0, 18 for token1


def pair_swap(in0: int = 0, in1: int = 0, out0: int = 0, out1: int = 0) -> dict[str, Any]:
    amounts = {"amount0In": in0, "amount1In": in1, "amount0Out": out0, "amount1Out": out1}
    return {"sender": ALICE, **amounts, "to": BOB}


def pool_swap(**amounts: int) -> dict[str, Any]:
    values = pair_swap(**amounts)
    return {"sender": values.pop("sender"), "to": values.pop("to"), **values}


SWAPS: dict[str, Callable[..., dict[str, Any]]] = {"uniswap-v2": pair_swap, "aerodrome": pool_swap}
SYNCS = [
    ("uniswap-v2", "Sync(uint112,uint112)"),
    ("uniswap-v2", "Sync(uint256,uint256)"),
    ("aerodrome", "Sync"),
]
TOKENS: dict[str, Any] = {"decimals0": 6, "decimals1": 18}


def reserves(reserve0: int, reserve1: int) -> dict[str, int]:
    return {"reserve0": reserve0, "reserve1": reserve1}


@pytest.mark.parametrize(("rule", "price"), [("execution", 0.5), ("after", 0.25)])
@pytest.mark.parametrize(("name", "sync"), SYNCS)
def test_a_pair_nets_what_comes_in_and_out(
    name: str, sync: str, rule: PriceRule, price: float
) -> None:
    """1 token0 in and 3 out is 2 bought, for 1 token1: 0.5. Reserves of 8 and 2 are 0.25."""
    swap = SWAPS[name](in0=10**6, in1=ETHER, out0=3 * 10**6)
    events: Events = [(sync, reserves(8 * 10**6, 2 * ETHER)), ("Swap", swap)]
    (row,) = decoded(name, events, price_rule=rule, **TOKENS)
    assert (row["price"], row["execution_price"], row["mark_price"]) == (price, 0.5, 0.25)
    assert (row["base_volume"], row["quote_volume"], row["side"]) == (2, 1, "buy")
    assert (row["trader"], row["kind"]) == (BOB, "trade")


@pytest.mark.parametrize("name", SWAPS)
def test_an_inverted_pair_turns_price_spot_and_side(name: str) -> None:
    """2 token0 out for 1 token1 in is a sale of token1 at 2; 2 and 8 in reserve make 0.25."""
    events: Events = [
        ("Sync", reserves(2 * 10**6, 8 * ETHER)),
        ("Swap", SWAPS[name](in1=ETHER, out0=2 * 10**6)),
    ]
    (row,) = decoded(name, events, invert=True, **TOKENS)
    assert (row["execution_price"], row["mark_price"], row["side"]) == (2.0, 0.25, "sell")
    assert (row["base_volume"], row["quote_volume"]) == (1, 2)


@pytest.mark.parametrize("name", SWAPS)
def test_a_pairs_sale_of_token0(name: str) -> None:
    """4 token0 in, 10 token1 out: sold at 2.5."""
    events: Events = [("Swap", SWAPS[name](in0=4 * 10**6, out1=10 * ETHER))]
    (row,) = decoded(name, events, **TOKENS)
    assert (row["price"], row["mark_price"], row["side"]) == (2.5, None, "sell")


def test_the_spot_of_a_pair_is_that_of_the_newest_sync_of_its_block() -> None:
    """An older block's reserves are not the price after this trade, a later Sync's neither."""
    swap = ("Swap", pair_swap(in0=10**6, out1=ETHER))
    rows = placed(
        "uniswap-v2",
        [
            (1, "Sync", reserves(10**6, ETHER)),
            (1, *swap),
            (2, *swap),
            (3, *swap),
            (3, "Sync", reserves(10**6, 2 * ETHER)),
            (3, "Sync", reserves(10**6, 3 * ETHER)),
            (3, *swap),
        ],
        **TOKENS,
    )
    assert [row["mark_price"] for row in rows] == [1.0, None, None, 3.0]
    assert not built_in("uniswap-v2").remembers_marks


# Concentrated liquidity


def test_pancake_v3_has_two_more_words() -> None:
    """2 token0 leave the pool for 8 token1: bought at 4; the root 3 makes a spot of 9."""
    values: dict[str, Any] = {"sender": ALICE, "recipient": BOB}
    values |= {"amount0": -2 * ETHER, "amount1": 8 * ETHER, "sqrtPriceX96": 3 * Q96}
    values |= {"liquidity": 1, "tick": 0, "protocolFeesToken0": 5, "protocolFeesToken1": 6}
    (row,) = decoded("pancake-v3", [("Swap", values)])
    assert (row["price"], row["mark_price"], row["side"]) == (4.0, 9.0, "buy")
    assert (row["base_volume"], row["quote_volume"], row["trader"]) == (2, 8, BOB)


def v4_swap(tag: bytes, amount0: int, amount1: int) -> dict[str, Any]:
    values: dict[str, Any] = {"id": tag * 32, "sender": ALICE}
    values |= {"amount0": amount0, "amount1": amount1, "sqrtPriceX96": Q96 // 2}
    return values | {"liquidity": 1, "tick": 0, "fee": 3000}


def test_uniswap_v4_shows_the_swappers_side() -> None:
    """The swapper gets 2 token0 and gives 6 token1: bought at 3; half a root is a quarter."""
    key = "0x" + "a1" * 32
    (row,) = decoded("uniswap-v4", [("Swap", v4_swap(b"\xa1", 2 * ETHER, -6 * ETHER))], key)
    assert (row["price"], row["mark_price"], row["side"]) == (3.0, 0.25, "buy")
    assert (row["base_volume"], row["quote_volume"], row["trader"]) == (2, 6, ALICE)


def test_uniswap_v4_keeps_many_markets_in_one_contract() -> None:
    read = built_in("uniswap-v4")
    keys = ["0x" + "a1" * 32, "0x" + "b2" * 32]
    first = ContractMarket(VAMM, MarketSpec("A"), read, key=keys[0])
    second = ContractMarket(VAMM, MarketSpec("B"), read, 6, 18, invert=True, key=keys[1])
    decoder = Decoder(1, [first, second])
    swaps = [v4_swap(tag, 10**6, -ETHER) for tag in (b"\xb2", b"\xa1", b"\xcc")]
    logs = [made(read, "Swap", values, (1, i)) for i, values in enumerate(swaps)]
    result = decoder.decode(Logs.of(logs))
    assert result.counts.ignored == 1
    assert decoder.unknown(Logs.of(logs)) == [(VAMM, "0x" + "cc" * 32)]
    found = [(r["market_id"], r["price"], r["side"]) for r in result.trades.to_pylist()]
    assert found == [(1, 1.0, "sell"), (0, 1e12, "buy")]
    assert decoder.specs[0].contract == f"{VAMM}:{keys[0]}"
    with pytest.raises(ConfigError, match="must be given once"):
        Decoder(1, [first, first])


# Perpetuals


def perp_v1(size: int, notional: int, penalty: int = 0) -> dict[str, Any]:
    values: dict[str, Any] = {"trader": ALICE, "amm": BOB, "margin": 1}
    values |= {"positionNotional": notional, "exchangedPositionSize": size, "fee": 2}
    values |= {"positionSizeAfter": 0, "realizedPnl": -ETHER, "unrealizedPnlAfter": 0}
    values |= {"badDebt": 0, "liquidationPenalty": penalty, "spotPrice": 7 * ETHER}
    return values | {"fundingPayment": 0}


def test_perp_v1_divides_notional_by_size() -> None:
    """A notional of 30 for −4 is a sale at 7.5; a size of 0 moved margin and is no trade."""
    events: Events = [
        ("PositionChanged", perp_v1(-4 * ETHER, 30 * ETHER)),
        ("PositionChanged", perp_v1(0, ETHER)),
    ]
    (row,) = decoded("perp-v1", events, key_of(BOB))
    assert (row["price"], row["mark_price"], row["side"]) == (7.5, 7.0, "sell")
    assert (row["base_volume"], row["quote_volume"], row["pnl"]) == (4, 30, -1)
    assert (row["fee"], row["trader"], row["kind"]) == (exact(2), ALICE, "trade")


def test_a_liquidation_of_perp_v1_counts_once() -> None:
    """It emits PositionChanged with a penalty, and PositionLiquidated, which is left out."""
    read = built_in("perp-v1")
    changed = made(read, "PositionChanged", perp_v1(2 * ETHER, 16 * ETHER, penalty=1), (1, 0))
    too = "0x" + "11" * 32  # any other event of the clearing house
    liquidated = changed._replace(topics=[too, *changed.topics[1:]], log_index=1)
    decoder = Decoder(1, [ContractMarket(VAMM, MarketSpec("X"), read, key=key_of(BOB))])
    result = decoder.decode(Logs.of([changed, liquidated]))
    (row,) = result.trades.to_pylist()
    assert (row["kind"], row["price"], row["side"]) == ("liquidation", 8.0, "buy")
    assert (result.counts.decoded, result.counts.ignored) == (1, 1)


@pytest.mark.parametrize(("size", "side"), [(2 * ETHER, "buy"), (-2 * ETHER, "sell")])
def test_perp_v2_is_keyed_by_its_base_token(size: int, side: str) -> None:
    """3 for 2 is 1.5, whatever the signs; a root of 2 makes a mark of 4."""
    values: dict[str, Any] = {"trader": ALICE, "baseToken": BOB, "exchangedPositionSize": size}
    values |= {"exchangedPositionNotional": -3 * size // 2, "fee": 3 * ETHER, "openNotional": 0}
    values |= {"realizedPnl": -5, "sqrtPriceAfterX96": 2 * Q96}
    events: Events = [("PositionChanged", values)]
    events.append(("PositionChanged", values | {"exchangedPositionSize": 0}))
    (row,) = decoded("perp-v2", events, key_of(BOB))
    assert (row["price"], row["mark_price"], row["side"]) == (1.5, 4.0, side)
    assert (row["base_volume"], row["quote_volume"]) == (2, 3)
    assert (row["fee"], row["pnl"], row["trader"]) == (3, exact(-5), ALICE)


@pytest.mark.parametrize(
    ("event", "long", "side"),
    [
        ("IncreasePosition", True, "buy"),
        ("IncreasePosition", False, "sell"),
        ("DecreasePosition", True, "sell"),
        ("DecreasePosition", False, "buy"),
    ],
)
def test_gmx_v1_counts_dollars_in_thirty_decimals(event: str, long: bool, side: str) -> None:
    """6 dollars at 4 are 1.5 of base; a size of 0 moved collateral and is no trade."""
    values: dict[str, Any] = {"key": b"\1" * 32, "account": ALICE, "collateralToken": VAMM}
    values |= {"indexToken": BOB, "collateralDelta": 1, "sizeDelta": 6 * 10**30}
    values |= {"isLong": long, "price": 4 * 10**30, "fee": 10**29}
    events: Events = [(event, values), (event, values | {"sizeDelta": 0})]
    (row,) = decoded("gmx-v1", events, key_of(BOB))
    assert (row["price"], row["side"], row["trader"]) == (4.0, side, ALICE)
    assert (row["base_volume"], row["quote_volume"]) == (exact(15, 1), 6)
    assert (row["fee"], row["kind"]) == (exact(1, 1), "trade")


def test_gmx_v1_divides_before_it_cuts() -> None:
    """The base is sizeDelta / price to 18 digits, not of a size cut before: 5 / 7 · 10^-12."""
    values: dict[str, Any] = {"key": b"\1" * 32, "account": ALICE, "collateralToken": VAMM}
    values |= {"indexToken": BOB, "collateralDelta": 1, "sizeDelta": 5 * 10**11}
    values |= {"isLong": True, "price": 7 * 10**23, "fee": 0}
    (row,) = decoded("gmx-v1", [("IncreasePosition", values)], key_of(BOB))
    assert (row["base_volume"], row["quote_volume"]) == (exact(714285), 0)


def test_synthetix_v2_multiplies_size_and_price() -> None:
    """3 at 5 are 15; a trade of size 0 is none."""
    values: dict[str, Any] = {"id": 8, "account": ALICE, "margin": 1, "size": 1}
    values |= {"tradeSize": -3 * ETHER, "lastPrice": 5 * ETHER, "fundingIndex": 0}
    values |= {"fee": 2, "skew": -1}
    events: Events = [("PositionModified", values), ("PositionModified", values | {"tradeSize": 0})]
    (row,) = decoded("synthetix-perps-v2", events)
    assert (row["price"], row["base_volume"], row["quote_volume"]) == (5.0, 3, 15)
    assert (row["side"], row["fee"], row["position_id"]) == ("sell", exact(2), "8")


def test_synthetix_v3_is_keyed_by_a_number() -> None:
    """0.5 at 40 are 20."""
    values: dict[str, Any] = {"marketId": 200, "accountId": 17, "fillPrice": 40 * ETHER}
    values |= {"pnl": -ETHER, "accruedFunding": 0, "sizeDelta": ETHER // 2, "newSize": 0}
    values |= {"totalFees": 3 * ETHER, "referralFees": 0, "collectedFees": 0}
    values |= {"settlementReward": 0, "trackingCode": b"\0" * 32, "settler": BOB}
    (row,) = decoded("synthetix-perps-v3", [("OrderSettled", values)], f"0x{200:064x}")
    assert (row["price"], row["base_volume"], row["quote_volume"]) == (40.0, exact(5, 1), 20)
    assert (row["side"], row["fee"], row["pnl"], row["position_id"]) == ("buy", 3, -1, "17")


# The original's other forms


def test_an_order_book_has_no_side() -> None:
    """2 at 1.5 are 3."""
    values = {"buyer": ALICE, "seller": BOB, "price": 1_500_000, "amount": 2 * ETHER}
    (row,) = decoded("order-book", [("TradeExecutionCompleted", values)])
    assert (row["price"], row["base_volume"], row["quote_volume"]) == (1.5, 2, 3)
    assert (row["side"], row["trader"], row["fee"]) == ("", ALICE, 0)


@pytest.mark.parametrize(("long", "side"), [(True, "buy"), (False, "sell")])
def test_the_earliest_vamm_opens_without_a_position(long: bool, side: str) -> None:
    """10 dollars at 4 are 2.5 of base."""
    values: dict[str, Any] = {"user": ALICE, "isLong": long, "size": 10 * ETHER}
    values |= {"price": 4 * ETHER, "leverage": 5, "fee": ETHER}
    (row,) = decoded("vamm-first", [("PositionOpened", values)])
    assert (row["price"], row["base_volume"], row["quote_volume"]) == (4.0, exact(25, 1), 10)
    assert (row["side"], row["kind"], row["leverage"], row["fee"]) == (side, "open", 5.0, 1)
    assert (row["position_id"], row["trader"]) == ("", ALICE)
