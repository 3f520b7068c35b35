"""Factories: what they say of markets, and that nobody else is believed."""

from typing import Any

import pytest
from eth_hash.auto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.chain import preset
from appliance.chain.counts import Counts
from appliance.chain.created import Created, created
from appliance.chain.log import Log, Logs
from appliance.chain.preset import Preset, built_in
from tests.chain_files import START, event
from tests.chain_logs import ALICE, BOB, POOL, VAMM, key_of, made

FACTORY = "0x00000000000000000000000000000000000facad"
ID = b"\x1d" * 32


def told(read: Preset, *logs: Log) -> list[Created]:
    counts = Counts()
    found = created(read, Logs.of(logs), {FACTORY}, counts)
    assert (counts.malformed, len(found)) == (0, counts.decoded)
    return found


def vamm_market(symbol: str = "GOLD", at: tuple[int, int] = (5, 2)) -> Log:
    values: dict[str, Any] = {"marketId": ID, "symbol": symbol, "vamm": VAMM, "vault": ALICE}
    values |= {"oracle": BOB, "collateralToken": POOL, "startingPrice": 1, "marketType": 2}
    return made(built_in("vamm"), "MarketCreated", values, at, FACTORY)


def test_a_factory_of_vamms_names_contract_and_symbol() -> None:
    (found,) = told(built_in("vamm"), vamm_market())
    assert found == Created(
        *(5, 2, FACTORY, VAMM, "", "GOLD", "", "", None),
        id="0x" + "1d" * 32,
    )


def test_the_older_form_says_the_same() -> None:
    values: dict[str, Any] = {"marketId": ID, "symbol": "GOLD", "vamm": VAMM, "vault": ALICE}
    values |= {"oracle": BOB, "collateralToken": POOL}
    types = "MarketCreated(bytes32,string,address,address,address,address)"
    older = made(built_in("vamm"), types, values, (5, 2), FACTORY)
    assert told(built_in("vamm"), older) == told(built_in("vamm"), vamm_market())


@pytest.mark.parametrize("active", [True, False])
def test_a_switch_names_the_market_by_the_factorys_own_id(active: bool) -> None:
    values = {"marketId": ID, "active": active}
    log = made(built_in("vamm"), "MarketStatusChanged", values, (6, 0), FACTORY)
    (found,) = told(built_in("vamm"), log)
    assert (found.address, found.id, found.active) == ("", "0x" + "1d" * 32, active)


PAIRS = {
    "uniswap-v2": ("PairCreated", {"pair": POOL, "allPairsLength": 7}),
    "aerodrome": ("PoolCreated", {"stable": True, "pool": POOL, "allPoolsLength": 7}),
    "uniswap-v3": ("PoolCreated", {"fee": 500, "tickSpacing": -10, "pool": POOL}),
    "pancake-v3": ("PoolCreated", {"fee": 500, "tickSpacing": -10, "pool": POOL}),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_factory_of_pools_names_contract_and_tokens(name: str) -> None:
    made_event, rest = PAIRS[name]
    values = {"token0": ALICE, "token1": BOB} | rest
    (found,) = told(built_in(name), made(built_in(name), made_event, values, (1, 1), FACTORY))
    assert (found.address, found.key, found.symbol) == (POOL, "", "")
    assert (found.token0, found.token1, found.active) == (ALICE, BOB, None)
    assert found.pool_fee == (500 if "fee" in rest else 0)


def test_solidlys_factory_is_understood_with_uniswap_v2() -> None:
    types = "PairCreated(address,address,bool,address,uint256)"
    values = {"token0": ALICE, "token1": BOB, "stable": False, "pair": POOL, "allPairsLength": 1}
    read = built_in("uniswap-v2")
    (found,) = told(read, made(read, types, values, (1, 1), FACTORY))
    assert (found.address, found.token0, found.token1) == (POOL, ALICE, BOB)


def test_uniswap_v4_makes_markets_inside_itself() -> None:
    values: dict[str, Any] = {"id": ID, "currency0": "0x" + "0" * 40, "currency1": BOB}
    values |= {"fee": 3000, "tickSpacing": 60, "hooks": ALICE, "sqrtPriceX96": 1, "tick": -1}
    read = built_in("uniswap-v4")
    (found,) = told(read, made(read, "Initialize", values, (1, 1), FACTORY))
    assert (found.address, found.key) == (FACTORY, "0x" + "1d" * 32)
    assert (found.token0, found.token1, found.pool_fee) == ("0x" + "0" * 40, BOB, 3000)


def test_synthetix_v3_names_symbol_and_name() -> None:
    values = {"perpsMarketId": 200, "marketName": "Bitcoin", "marketSymbol": "BTC"}
    read = built_in("synthetix-perps-v3")
    (found,) = told(read, made(read, "MarketCreated", values, (1, 1), FACTORY))
    assert (found.address, found.key) == (FACTORY, f"0x{200:064x}")
    assert (found.symbol, found.name) == ("BTC", "Bitcoin")


def test_the_registry_of_perp_v2_speaks_for_another_contract() -> None:
    read = built_in("perp-v2")
    values = {"baseToken": BOB, "feeRatio": 1000, "pool": POOL}
    (found,) = told(read, made(read, "PoolAdded", values, (1, 1), FACTORY))
    assert (found.address, found.key, found.token0) == ("", key_of(BOB), BOB)


def test_only_named_factories_are_believed_and_capitals_do_not_matter() -> None:
    shouting = vamm_market()._replace(address="0x" + FACTORY[2:].upper())
    stranger = vamm_market()._replace(address=BOB)
    other = vamm_market()._replace(topics=["0x" + "7a" * 32])
    silent = vamm_market()._replace(topics=[])
    counts = Counts()
    logs = Logs.of([shouting, stranger, other, silent])
    assert len(created(built_in("vamm"), logs, {FACTORY}, counts)) == 1
    assert counts == Counts(decoded=1, foreign=1, ignored=2)


def test_markets_come_in_the_order_of_the_chain() -> None:
    logs = [vamm_market(s, at) for s, at in (("C", (9, 0)), ("A", (5, 3)), ("B", (5, 20)))]
    assert [c.symbol for c in told(built_in("vamm"), *logs)] == ["A", "B", "C"]


GOOD = vamm_market()


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (GOOD._replace(topics=GOOD.topics[:3]), "must have 4 topics, had 3"),
        (
            GOOD._replace(data=GOOD.data[:-64]),
            "data must be of the types in MarketCreated(bytes32,",
        ),
        (GOOD._replace(data=GOOD.data[:100]), "data must be 5 words"),
        (GOOD._replace(data=GOOD.data[:-1] + "g"), "hexadecimal"),
        (GOOD._replace(data=GOOD.data[:-2] + "  "), "hexadecimal"),
        (GOOD._replace(data="0x" + "f" * 64 + GOOD.data[66:]), "Invalid pointer"),
        (GOOD._replace(topics=[*GOOD.topics[:3], "0x" + "f" * 64]), "data must be of the types"),
    ],
)
def test_a_malformed_log_is_named_and_the_others_are_read(log: Log, said: str) -> None:
    counts = Counts()
    found = created(built_in("vamm"), Logs.of([GOOD, log]), {FACTORY}, counts)
    assert (len(found), counts.decoded, counts.malformed) == (1, 1, 1)
    assert counts.examples[0].event == "MarketCreated"
    assert said in counts.examples[0].reason


def test_a_symbol_that_is_no_text_hides_no_market() -> None:
    """Its bytes are replaced; who names markets makes a symbol of what is left."""
    at = GOOD.data.index(b"GOLD".hex())
    (found,) = told(
        built_in("vamm"), GOOD._replace(data=GOOD.data[:at] + "ff" + GOOD.data[at + 2 :])
    )
    assert found.symbol == "\ufffdOLD"


def test_a_symbol_may_be_32_bytes() -> None:
    keys = ('kind = "market"', 'contract = "a"', 'symbol = "s"')
    text = START + event("Listed(address a,bytes32 s)", *keys)
    read = preset.from_text(text, "mine.toml")
    log = made(read, "Listed", {"a": VAMM, "s": b"sETH".ljust(32, b"\0")}, (1, 1), FACTORY)
    assert told(read, log)[0].symbol == "sETH"


def test_an_indexed_text_is_known_by_its_hash_only() -> None:
    keys = ('kind = "market"', 'contract = "a"', 'id = "i"')
    text = START + event("Listed(address a,bytes32 i,string indexed s)", *keys)
    read = preset.from_text(text, "mine.toml")
    values = {"a": VAMM, "i": ID}
    plain = made(
        preset.from_text(START + event("Listed(address a,bytes32 i)", *keys), "x"), "Listed", values
    )
    topics = [read.creation_topics[0], "0x" + keccak(b"GOLD").hex()]
    (found,) = told(read, plain._replace(address=FACTORY, topics=topics))
    assert (found.address, found.id) == (VAMM, "0x" + "1d" * 32)


@settings(max_examples=200, deadline=None)
@given(
    data=st.one_of(st.text(max_size=400), st.binary(max_size=400).map(lambda b: "0x" + b.hex())),
    cut=st.integers(0, len(GOOD.data)),
    word=st.sampled_from(["", "f" * 64, "0" * 63 + "1", "0" * 48 + "8" + "0" * 15]),
)
def test_no_log_is_fatal(data: str, cut: int, word: str) -> None:
    spoilt = GOOD.data[:cut] + word + GOOD.data[cut + len(word) :]
    logs = [GOOD._replace(data=data), GOOD._replace(data=spoilt), GOOD]
    counts = Counts()
    created(built_in("vamm"), Logs.of(logs), {FACTORY}, counts)
    assert counts.decoded + counts.malformed == 3
    assert counts.decoded >= 1
