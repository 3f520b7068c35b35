"""Protocols that have no file of ours yet: each is a few lines of TOML and no Python."""

from typing import Any

import pytest

from appliance.chain import preset
from appliance.chain.decode import Decoder
from appliance.chain.log import Log, Logs
from appliance.chain.market import ContractMarket
from appliance.errors import ConfigError
from appliance.model import MarketSpec, PriceRule
from tests.chain_logs import ALICE, BOB, ETHER, Q96, VAMM, exact, made

# The topic0s are those of EVENTS.md.
# ruff: noqa: E501 # a signature is one line of TOML
V2 = """
name = "uniswap-v2"
price_rule = "execution"
[[event]]
signature = "Swap(address indexed sender, uint256 amount0In, uint256 amount1In, uint256 amount0Out, uint256 amount1Out, address indexed to)"
topic0 = "0xd78ad95fa46c994b6551d0da85fc275fe613ce37657fb8d5e3d130840159d822"
kind = "trade"
execution = "volumes"
after = "remembered"
base = { argument = ["amount0In", "-amount0Out"], scale = "token0" }
quote = { argument = ["amount1In", "-amount1Out"], scale = "token1" }
side = { sign = ["amount0Out", "-amount0In"] }
trader = "to"
[[event]]
signature = "Sync(uint112 reserve0, uint112 reserve1)"
topic0 = "0x1c411e9a96e071241c2f21f7726b17ae89e3cab4c78be50e062b03a9fffbbad1"
kind = "sync"
after = { quote = { argument = "reserve1", scale = "token1" }, base = { argument = "reserve0", scale = "token0" } }
"""
V4 = """
name = "uniswap-v4"
price_rule = "after"
[[event]]
signature = "Swap(bytes32 indexed id, address indexed sender, int128 amount0, int128 amount1, uint160 sqrtPriceX96, uint128 liquidity, int24 tick, uint24 fee)"
topic0 = "0x40e9cecb9f5f1f1c5b9c97dec2917b7ee92e57ba5563708daca94dd84ad7112f"
kind = "trade"
market = "id"
execution = "volumes"
after = { sqrt_x96 = "sqrtPriceX96" }
base = { argument = "amount0", scale = "token0" }
quote = { argument = "amount1", scale = "token1" }
side = { sign = "amount0" }
"""
GMX = """
name = "gmx-v1"
price_rule = "execution"
[[event]]
signature = "DecreasePosition(bytes32 key, address account, address collateralToken, address indexToken, uint256 collateralDelta, uint256 sizeDelta, bool isLong, uint256 price, uint256 fee)"
topic0 = "0x93d75d64d1f84fc6f430a64fc578bdd4c1e090e90ea2d51773e626d19de56d30"
kind = "trade"
market = "indexToken"
skip_zero = "sizeDelta"
execution = { argument = "price", scale = 30 }
quote = { argument = "sizeDelta", scale = 30 }
fee = { argument = "fee", scale = 30 }
side = { flag = "isLong", long = "sell" }
trader = "account"
"""
PERP_V1 = """
name = "perp-v1"
price_rule = "execution"
[[event]]
signature = "PositionChanged(address indexed trader, address indexed amm, uint256 margin, uint256 positionNotional, int256 exchangedPositionSize, uint256 fee, int256 positionSizeAfter, int256 realizedPnl, int256 unrealizedPnlAfter, uint256 badDebt, uint256 liquidationPenalty, uint256 spotPrice, int256 fundingPayment)"
topic0 = "0x4c7b764f428c13bbea8cc8da90ebe6eef4dafeb27a4e3d9041d64208c47ca7c2"
kind = "trade"
market = "amm"
skip_zero = "exchangedPositionSize"
execution = "volumes"
after = { argument = "spotPrice", scale = 18 }
base = { argument = "exchangedPositionSize", scale = 18 }
quote = { argument = "positionNotional", scale = 18 }
pnl = { argument = "realizedPnl", scale = 18 }
side = { sign = "exchangedPositionSize" }
"""
SYNTHETIX = """
name = "synthetix-perps-v2"
price_rule = "execution"
[[event]]
signature = "PositionModified(uint256 indexed id, address indexed account, uint256 margin, int256 size, int256 tradeSize, uint256 lastPrice, uint256 fundingIndex, uint256 fee, int256 skew)"
topic0 = "0xc0d933baa356386a245ade48f9a9c59db4612af2b5b9c17de5b451c628760f43"
kind = "trade"
skip_zero = "tradeSize"
execution = { argument = "lastPrice", scale = 18 }
base = { argument = "tradeSize", scale = 18 }
fee = { argument = "fee", scale = 18 }
side = { sign = "tradeSize" }
trader = "account"
"""
ORDER_BOOK = """
name = "order-book"
price_rule = "execution"
[[event]]
signature = "TradeExecutionCompleted(address indexed buyer, address indexed seller, uint256 price, uint256 amount)"
topic0 = "0xb242177834d07ac02a9f62e34602e5da9d353cbe7df4378423ba8765a4793d80"
kind = "trade"
execution = { argument = "price", scale = 6 }
base = { argument = "amount", scale = 18 }
trader = "buyer"
"""


def decoded(
    text: str, events: list[tuple[str, dict[str, Any]]], key: str = "", **market: Any
) -> list[dict[str, Any]]:
    read = preset.from_text(text, "test.toml")
    spec = MarketSpec("X")
    decoder = Decoder(1, [ContractMarket(VAMM, spec, read, key=key, **market)])
    logs: list[Log] = [made(read, n, v, (1, i)) for i, (n, v) in enumerate(events)]
    result = decoder.decode(Logs.of(logs))
    assert result.counts.malformed == 0, result.counts.examples
    rows: list[dict[str, Any]] = result.trades.to_pylist()
    return rows


@pytest.mark.parametrize(("rule", "price"), [("execution", 0.5), ("after", 0.25)])
def test_uniswap_v2_takes_the_spot_from_the_sync_before(rule: PriceRule, price: float) -> None:
    sync: dict[str, Any] = {"reserve0": 8 * 10**6, "reserve1": 2 * ETHER}
    swap: dict[str, Any] = {
        "sender": ALICE,
        "amount0In": 10**6,
        "amount1In": ETHER,
        "amount0Out": 3 * 10**6,
    }
    swap |= {"amount1Out": 0, "to": BOB}
    (row,) = decoded(
        V2,
        [("Sync", sync), ("Swap", swap)],
        decimals0=6,
        decimals1=18,
        price_rule=rule,
    )
    assert (row["price"], row["execution_price"], row["mark_price"]) == (price, 0.5, 0.25)
    assert (row["base_volume"], row["quote_volume"], row["side"]) == (2, 1, "buy")


def test_uniswap_v2_inverted_turns_the_remembered_mark_once() -> None:
    sync: dict[str, Any] = {"reserve0": 8 * 10**6, "reserve1": 2 * ETHER}
    swap: dict[str, Any] = {
        "sender": ALICE,
        "amount0In": 0,
        "amount1In": ETHER,
        "amount0Out": 2 * 10**6,
    }
    swap |= {"amount1Out": 0, "to": BOB}
    events = [("Sync", sync), ("Swap", swap)]
    (row,) = decoded(V2, events, decimals0=6, decimals1=18, invert=True)
    assert (row["execution_price"], row["mark_price"], row["side"]) == (2.0, 4.0, "sell")


def test_uniswap_v4_keeps_many_markets_in_one_contract() -> None:
    read = preset.from_text(V4, "v4.toml")
    keys = ["0x" + "a1" * 32, "0x" + "b2" * 32]
    first = ContractMarket(VAMM, MarketSpec("A"), read, key=keys[0])
    second = ContractMarket(VAMM, MarketSpec("B"), read, 6, 18, invert=True, key=keys[1])
    decoder = Decoder(1, [first, second])
    logs = []
    for number, tag in enumerate([b"\xb2", b"\xa1", b"\xcc"]):
        values = {"id": tag * 32, "sender": ALICE, "amount0": 10**6, "amount1": -ETHER}
        values |= {"sqrtPriceX96": Q96, "liquidity": 1, "tick": 0, "fee": 0}
        logs.append(made(read, "Swap", values, (1, number)))
    result = decoder.decode(Logs.of(logs))
    assert result.counts.ignored == 1
    found = [(r["market_id"], r["price"], r["side"]) for r in result.trades.to_pylist()]
    assert found == [(1, 1e12, "sell"), (0, 1.0, "buy")]
    assert decoder.specs[0].contract == f"{VAMM}:{keys[0]}"
    with pytest.raises(ConfigError, match="must be given once"):
        Decoder(1, [first, first])
    with pytest.raises(ConfigError, match="must be given once"):
        Decoder(1, [ContractMarket(VAMM, MarketSpec("C"), read), first])


def test_gmx_names_its_market_in_the_data_and_skips_zero() -> None:
    values: dict[str, Any] = {
        "key": b"\1" * 32,
        "account": ALICE,
        "collateralToken": BOB,
        "indexToken": BOB,
    }
    values |= {"collateralDelta": 1, "sizeDelta": 6 * 10**30, "isLong": False}
    values |= {"price": 4 * 10**30, "fee": 10**29}
    events = [("DecreasePosition", values), ("DecreasePosition", values | {"sizeDelta": 0})]
    (row,) = decoded(GMX, events, key="0x" + "0" * 24 + BOB[2:])
    assert (row["price"], row["side"], row["trader"]) == (4.0, "buy", ALICE)
    assert (row["base_volume"], row["quote_volume"]) == (exact(15, 1), 6)
    assert row["fee"] == exact(1, 1)


def test_perp_v1_divides_notional_by_size() -> None:
    values = {"trader": ALICE, "amm": BOB, "margin": 1, "positionNotional": 30 * ETHER}
    values |= {"exchangedPositionSize": -4 * ETHER, "fee": 0, "positionSizeAfter": 0}
    values |= {"realizedPnl": -ETHER, "unrealizedPnlAfter": 0, "badDebt": 0}
    values |= {"liquidationPenalty": 0, "spotPrice": 7 * ETHER, "fundingPayment": 0}
    (row,) = decoded(PERP_V1, [("PositionChanged", values)], key="0x" + "0" * 24 + BOB[2:])
    assert (row["price"], row["mark_price"], row["side"]) == (7.5, 7.0, "sell")
    assert (row["base_volume"], row["quote_volume"], row["pnl"]) == (4, 30, -1)


def test_finer_losses_are_cut_toward_zero() -> None:
    finer = V4 + 'pnl = { argument = "tick", scale = 20 }\n'
    values: dict[str, Any] = {"id": b"\1" * 32, "sender": ALICE, "amount0": 1, "amount1": -1}
    values |= {"sqrtPriceX96": Q96, "liquidity": 1, "fee": 0}
    found = [
        decoded(finer, [("Swap", order(values, tick))], key="0x" + "01" * 32)[0]["pnl"]
        for tick in (-99, 99, -250)
    ]
    assert found == [0, 0, exact(-2)]


def order(values: dict[str, Any], tick: int) -> dict[str, Any]:
    """Return the swap's values with its tick, in the order of the signature."""
    return {k: v for k, v in values.items() if k != "fee"} | {"tick": tick, "fee": values["fee"]}


def test_synthetix_multiplies_size_and_price() -> None:
    values = {"id": 1, "account": ALICE, "margin": 1, "size": 1, "tradeSize": -3 * ETHER}
    values |= {"lastPrice": 5 * ETHER, "fundingIndex": 0, "fee": 2, "skew": -1}
    (row,) = decoded(SYNTHETIX, [("PositionModified", values)])
    assert (row["price"], row["base_volume"], row["quote_volume"]) == (5.0, 3, 15)
    assert (row["side"], row["fee"]) == ("sell", exact(2))


def test_an_order_book_has_no_side() -> None:
    values = {"buyer": ALICE, "seller": BOB, "price": 1_500_000, "amount": 2 * ETHER}
    (row,) = decoded(ORDER_BOOK, [("TradeExecutionCompleted", values)])
    assert (row["price"], row["quote_volume"], row["side"]) == (1.5, 3, "")
    assert (row["trader"], row["fee"]) == (ALICE, 0)
