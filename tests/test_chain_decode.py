"""The decoder: every event to the digit, and nothing believed that was not asked for."""

from fractions import Fraction
from pathlib import Path

import pytest
from eth_abi.abi import decode as abi_decode
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.chain.decode import Decoder
from appliance.chain.log import Log, Logs
from appliance.chain.market import ContractMarket
from appliance.chain.preset import built_in
from appliance.errors import ConfigError
from appliance.model import TRADE_SCHEMA, MarketSpec, PriceRule
from tests.chain_logs import (
    BOB,
    POOL,
    Q96,
    VAMM,
    exact,
    little,
    pool_decoder,
    read_csv,
    rows,
    swap,
)

REAL = Path(__file__).resolve().parents[2] / "shared/data"
REAL_LOGS = REAL / "uniswap_v3_usdc_weth_2024-01-05.logs.csv"


def reason(decoder: Decoder, log: Log) -> str:
    """Return why a log is malformed, having decoded it between two good ones."""
    before = swap(-1, 1, at=(1, 0))
    counts = decoder.decode(Logs.of([before, log, before])).counts
    assert (counts.decoded, counts.malformed) == (2, 1)
    return counts.examples[0].reason


def test_a_swap_becomes_a_row() -> None:
    (row,) = rows(pool_decoder(), swap(-2_000_000, 10**15, 3 * Q96, at=(7, 5)))
    time = row.pop("time")
    assert time.timestamp() == 1_700_000_000 + 12 * 7
    assert row == {
        "market_id": 0,
        "sequence": 7 << 20 | 5,
        "tie": 0,
        "price": 0.0005,
        "execution_price": 0.0005,
        "mark_price": 9e-12,
        "base_volume": exact(2_000_000, 6),
        "quote_volume": exact(10**15),
        "fee": 0,
        "pnl": 0,
        "side": "buy",
        "kind": "trade",
        "leverage": 0.0,
        "trader": BOB,
        "position_id": "",
        "chain_id": 1,
        "block_number": 7,
        "log_index": 5,
        "transaction_hash": f"0x{7:064x}",
        "trade_id": "",
        "raw_price": little(3 * Q96),
        "raw_size": little(2_000_000),
    }


def test_inverted_prices_volumes_and_sides_change_places() -> None:
    log = swap(-2_000_000, 10**15, 3 * Q96)
    (row,) = rows(pool_decoder(invert=True), log)
    assert (row["price"], row["mark_price"]) == (2000.0, float(Fraction(10**12, 9)))
    assert (row["base_volume"], row["quote_volume"]) == (exact(10**15), exact(2_000_000, 6))
    assert (row["side"], row["raw_size"]) == ("sell", little(10**15))


@pytest.mark.parametrize(("rule", "price"), [("execution", 0.0005), ("after", 9e-12)])
def test_the_rule_chooses_the_price(rule: PriceRule, price: float) -> None:
    decoder = pool_decoder(rule=rule)
    (row,) = rows(decoder, swap(-2_000_000, 10**15, 3 * Q96))
    assert row["price"] == price
    assert (row["execution_price"], row["mark_price"]) == (0.0005, 9e-12)
    assert decoder.specs[0].price_rule == rule
    assert decoder.specs[0].order == "chain"


@pytest.mark.parametrize(
    ("amount0", "amount1", "side"), [(5, -3, "sell"), (-5, 3, "buy"), (0, 3, ""), (5, 0, "sell")]
)
def test_signs_and_zero_amounts(amount0: int, amount1: int, side: str) -> None:
    (row,) = rows(pool_decoder((18, 18)), swap(amount0, amount1))
    expected = abs(amount1) / abs(amount0) if amount0 and amount1 else None
    assert (row["execution_price"], row["price"]) == (expected, expected)
    assert row["mark_price"] == 1.0
    assert (row["base_volume"], row["quote_volume"]) == (exact(abs(amount0)), exact(abs(amount1)))
    assert row["side"] == side
    (flipped,) = rows(pool_decoder((18, 18), invert=True), swap(amount0, amount1))
    assert flipped["side"] == {"buy": "sell", "sell": "buy", "": ""}[side]


def test_more_than_18_decimals_are_cut_toward_zero_and_kept_raw() -> None:
    (row,) = rows(pool_decoder((24, 18)), swap(-1_999_999, 7))
    assert (row["base_volume"], row["raw_size"]) == (exact(1), little(1_999_999))
    assert row["execution_price"] == 7 * 10**6 / 1_999_999


def test_the_smallest_integer_does_not_fit_a_volume() -> None:
    said = reason(pool_decoder((18, 18)), swap(-(2**255), 5))
    assert said.startswith("base volume must be below 10^20, was about 5.79e+58")
    assert "quote volume" in reason(pool_decoder((18, 18)), swap(5, 10**38))


def test_volumes_just_below_the_limit_are_exact() -> None:
    (row,) = rows(pool_decoder((18, 18)), swap(-(10**38 - 1), 10**38 - 1))
    assert (row["base_volume"], row["price"]) == (exact(10**38 - 1), 1.0)


@settings(max_examples=150, deadline=None)
@given(
    amount0=st.integers(-(10**37), 10**37),
    amount1=st.integers(-(10**37), 10**37),
    sqrt_price=st.integers(4_295_128_739, 2**160 - 1),
    invert=st.booleans(),
    decimals=st.sampled_from([(18, 18), (6, 18), (18, 6), (8, 6), (0, 0), (18, 24)]),
)
def test_agrees_with_eth_abi_and_exact_fractions(
    amount0: int, amount1: int, sqrt_price: int, invert: bool, decimals: tuple[int, int]
) -> None:
    """Prices are the floats nearest to the exact fraction; integers are eth_abi's."""
    log = swap(amount0, amount1, sqrt_price)
    types = ["int256", "int256", "uint160", "uint128", "int24"]
    read = abi_decode(types, bytes.fromhex(log.data[2:]))
    assert read[:3] == (amount0, amount1, sqrt_price)
    scaled = [abs(a) * 10**18 // 10**d for a, d in zip(read[:2], decimals, strict=True)]
    decoder = pool_decoder(decimals, invert)
    if max(scaled) >= 10**38:
        assert decoder.decode(Logs.of([log])).counts.malformed == 1
        return
    (row,) = rows(decoder, log)
    scale = Fraction(10) ** (decimals[0] - decimals[1])
    after = Fraction(sqrt_price**2, 2**192) * scale
    paid = Fraction(abs(amount1), abs(amount0)) * scale if amount0 and amount1 else None
    if invert:
        after, paid, scaled = 1 / after, paid and 1 / paid, scaled[::-1]
    assert row["mark_price"] == float(after)
    assert row["execution_price"] == (None if paid is None else float(paid))
    assert [row["base_volume"], row["quote_volume"]] == [exact(v) for v in scaled]
    assert row["raw_price"] == little(sqrt_price)
    assert row["raw_size"] == little(abs(amount1 if invert else amount0))


# What is not ours, not known, not well formed


def test_only_named_contracts_and_events_are_believed() -> None:
    good = swap(-1, 1)
    stranger = good._replace(address=BOB)
    mint = good._replace(topics=["0x" + "7a" * 32])
    silent = good._replace(topics=[])
    decoded = pool_decoder().decode(Logs.of([good, stranger, mint, silent]))
    counts = decoded.counts
    assert (counts.decoded, counts.foreign, counts.ignored, counts.malformed) == (1, 1, 2, 0)


def test_capital_letters_are_the_same_hex() -> None:
    log = swap(-10, 10)
    upper = log._replace(
        address="0x" + log.address[2:].upper(),
        topics=["0x" + topic[2:].upper() for topic in log.topics],
        data="0x" + log.data[2:].upper(),
    )
    assert rows(pool_decoder(), upper) == rows(pool_decoder(), log)


GOOD = swap(-5, 5)
WORD = "f" * 64


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (GOOD._replace(data=GOOD.data[:-2]), "data must be 5 words, was 4.96875"),
        (GOOD._replace(data="0x"), "data must be 5 words, was 0"),
        (GOOD._replace(data=""), "data must begin with 0x"),
        (GOOD._replace(data=GOOD.data + WORD), "data must be 5 words, was 6"),
        (GOOD._replace(data=GOOD.data[:-1] + "g"), "hexadecimal"),
        (GOOD._replace(data=GOOD.data[:-2] + "  "), "hexadecimal"),
        (GOOD._replace(data=GOOD.data[:-1] + "é"), "hexadecimal"),
        (GOOD._replace(topics=GOOD.topics[:2]), "must have 3 topics, had 2"),
        (GOOD._replace(topics=[*GOOD.topics, GOOD.topics[1]]), "must have 3 topics, had 4"),
        (GOOD._replace(topics=[*GOOD.topics[:2], "0x12"]), "topics must be 0x and 64 digits"),
        (GOOD._replace(topics=[*GOOD.topics[:2], WORD + "ff"]), "topics must be 0x and 64 digits"),
        (
            GOOD._replace(topics=[*GOOD.topics[:2], "0x" + WORD]),
            "recipient must be of type address",
        ),
        (GOOD._replace(log_index=2**20), "log index must be below 2^20"),
        (
            GOOD._replace(data=GOOD.data[: 2 + 128] + WORD + GOOD.data[2 + 192 :]),
            "sqrtPriceX96 must be of type uint160",
        ),
        (swap(-5, 5, 0), "mark price must be above 0"),
    ],
)
def test_malformed_logs_are_named_and_never_fatal(log: Log, said: str) -> None:
    assert said in reason(pool_decoder(), log)


@settings(max_examples=100, deadline=None)
@given(
    data=st.one_of(st.text(max_size=400), st.binary(max_size=200).map(lambda b: "0x" + b.hex())),
    topics=st.lists(st.one_of(st.text(max_size=70), st.just(GOOD.topics[1])), max_size=4),
    keep=st.booleans(),
)
def test_no_log_is_fatal(data: str, topics: list[str], keep: bool) -> None:
    log = GOOD._replace(data=data, topics=[GOOD.topics[0], *topics] if keep else topics)
    counts = pool_decoder().decode(Logs.of([log, GOOD])).counts
    assert counts.decoded + counts.ignored + counts.malformed == 2
    assert counts.decoded >= 1


def test_examples_are_few() -> None:
    counts = pool_decoder().decode(Logs.of([GOOD._replace(data="0x")] * 50)).counts
    assert (counts.malformed, len(counts.examples)) == (50, 5)


def test_nothing_gives_an_empty_table() -> None:
    decoded = pool_decoder().decode(Logs())
    assert decoded.trades.equals(TRADE_SCHEMA.empty_table())
    assert Logs.of([]) == Logs()


def test_settings_that_decode_to_nonsense_are_refused() -> None:
    spec = MarketSpec("X")
    with pytest.raises(ConfigError, match="decimals1 must be from 0 to 77, was 78"):
        ContractMarket(POOL, spec, built_in("uniswap-v3"), 6, 78)
    with pytest.raises(ConfigError, match="invert must be left out with preset vamm"):
        ContractMarket(VAMM, spec, built_in("vamm"), invert=True)
    market = ContractMarket(VAMM, spec, built_in("vamm"))
    with pytest.raises(ConfigError, match="must be given once"):
        Decoder(1, [market, market])


@pytest.mark.skipif(not REAL_LOGS.exists(), reason="the real day is not beside the checkout")
@pytest.mark.parametrize("invert", [False, True])
def test_a_real_day_agrees_with_its_ticks(invert: bool) -> None:
    """The price after each of 6,046 swaps lies in the tick that the same log names."""
    logs = read_csv(REAL_LOGS, POOL)
    decoded = pool_decoder(invert=invert, rule="after").decode(Logs.of(logs))
    counts = decoded.counts
    assert (counts.decoded, counts.ignored, counts.malformed) == (6_046, 188, 0)
    swaps = [log for log in logs if log.topics[0] == GOOD.topics[0]]
    swaps.sort(key=lambda log: (log.block_number, log.log_index))
    prices = decoded.trades["price"].to_pylist()
    for log, price in zip(swaps, prices, strict=True):
        tick = int.from_bytes(bytes.fromhex(log.data[-64:]), signed=True)
        pool_price = (1 / price if invert else price) * 10**12
        assert 1.0001**tick * (1 - 1e-9) <= pool_price <= 1.0001 ** (tick + 1) * (1 + 1e-9)
