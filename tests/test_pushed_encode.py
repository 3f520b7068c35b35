"""Arguments become exactly the log that a contract would have emitted."""

import tomllib
from decimal import Decimal
from typing import Any

import pytest
from eth_abi.abi import encode as abi_encode
from hypothesis import given
from hypothesis import strategies as st

from appliance.chain import preset as presets
from appliance.chain.event import EventPreset
from appliance.chain.preset import Preset, built_in, from_text
from appliance.chain.signature import parse
from appliance.pushed.encode import Mistake, encode
from tests.chain_logs import ALICE, ETHER

EVERY = [
    (preset, event) for preset in map(built_in, presets.names()) for event in preset.events.values()
]
WIDEST = 2**256 - 1


def numbers(bits: int, signed: bool) -> st.SearchStrategy[int]:
    low, high = (-1 << (bits - 1), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    return st.sampled_from([low, high]) | st.integers(low, high)


def values_of(event: EventPreset) -> st.SearchStrategy[dict[str, Any]]:
    """Return what the arguments may be, for eth_abi."""
    plain: dict[str, st.SearchStrategy[Any]] = {
        "bool": st.booleans(),
        "address": st.binary(min_size=20, max_size=20).map(lambda b: "0x" + b.hex()),
        "bytes32": st.binary(min_size=32, max_size=32),
    }
    return st.fixed_dictionaries(
        {
            a.name: plain[a.type] if a.type in plain else numbers(a.bits, a.signed)
            for a in event.event.arguments
        }
    )


def spelled(value: Any, how: int) -> Any:
    """Return a value as one of the ways to write it."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    ways = [value, str(value), hex(value), {"type": "BigNumber", "hex": hex(value)}]
    return [*ways, Decimal(value)][how % 5]


@given(st.data(), st.integers(0, 4))
def test_every_event_of_every_preset_is_encoded_as_eth_abi_does(data: Any, how: int) -> None:
    preset, event = data.draw(st.sampled_from(EVERY))
    values = data.draw(values_of(event))
    encoded = encode(preset, event.event.name, {n: spelled(v, how) for n, v in values.items()})
    assert encoded is not None
    arguments = encoded.event.event.arguments  # where two fit, the first is taken
    indexed = [abi_encode([a.type], [values[a.name]]) for a in arguments if a.indexed]
    plain = [a for a in arguments if not a.indexed]
    data_words = abi_encode([a.type for a in plain], [values[a.name] for a in plain])
    topics = [encoded.event.event.topic0, *("0x" + word.hex() for word in indexed)]
    assert (topics, "0x" + data_words.hex()) == (list(encoded.topics), encoded.data)


def test_of_two_events_with_one_name_the_one_that_fits_is_taken() -> None:
    """Solidly's reserves are wider than Uniswap's."""
    for reserve, kind in ((1, "uint112"), (2**112, "uint256")):
        encoded = encode(built_in("uniswap-v2"), "Sync", {"reserve0": reserve, "reserve1": 1})
        assert encoded is not None
        assert kind == encoded.event.event.arguments[0].type


OPENED: dict[str, Any] = {"user": ALICE, "positionId": 1, "isLong": True, "size": 1, "price": 1}


@pytest.mark.parametrize("name", ["PositionOpened", "position_opened", "POSITION-OPENED"])
def test_names_are_found_in_any_spelling(name: str) -> None:
    assert encode(built_in("vamm"), name, OPENED) is not None


@pytest.mark.parametrize("name", ["Transfer", "MarketCreated", ""])
def test_names_that_tell_nothing_are_left_out(name: str) -> None:
    assert encode(built_in("vamm"), name, OPENED) is None


def test_facts_may_be_left_out() -> None:
    """What a trade is made of may not."""
    encoded = encode(built_in("vamm"), "PositionOpened", OPENED | {"user": None})
    assert encoded is not None
    assert encoded.without_trader
    assert encoded.data.endswith("00" * 64)
    for name in ("positionId", "isLong", "size", "price"):
        with pytest.raises(Mistake) as mistake:
            encode(built_in("vamm"), "PositionOpened", OPENED | {name: None})
        assert (name, "must be given") == (mistake.value.argument, mistake.value.rule)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("size", "1.5", "must be a whole number of type uint256 as the contract emits it"),
        ("size", Decimal("1.5"), "must be a whole number of type uint256"),
        ("size", Decimal("1e999999999"), "must be a whole number of type uint256"),
        ("size", Decimal("nan"), "must be a whole number of type uint256"),
        ("size", True, "must be a whole number of type uint256"),
        ("size", "1_000", "must be a whole number of type uint256"),
        ("size", " 1", "must be a whole number of type uint256"),
        ("size", "", "must be a whole number of type uint256"),
        ("size", [], "must be a whole number of type uint256"),
        ("size", {"hex": 1.0}, "must be a whole number of type uint256"),
        ("size", -1, "must fit type uint256"),
        ("size", WIDEST + 1, "must fit type uint256"),
        ("isLong", 2, "must be true or false"),
        ("isLong", "yes", "must be true or false"),
        ("isLong", [], "must be true or false"),
        ("user", "0x12", "must be an address, 0x and 40 hex digits"),
        ("user", 5, "must be an address, 0x and 40 hex digits"),
        ("leverage", "x", "must be a whole number of type uint256"),
    ],
)
def test_wrong_arguments_are_named(name: str, value: Any, rule: str) -> None:
    with pytest.raises(Mistake) as mistake:
        encode(built_in("vamm"), "PositionOpened", OPENED | {name: value})
    assert name == mistake.value.argument
    assert mistake.value.rule.startswith(rule)


@pytest.mark.parametrize("value", [1, True, "true", "TRUE"])
def test_flags_are_read_in_any_spelling(value: Any) -> None:
    encoded = encode(built_in("vamm"), "PositionOpened", OPENED | {"isLong": value})
    assert encoded is not None
    assert f"{1:064x}" == encoded.data[2:66]


def own(signature: str) -> Preset:
    """Return a preset of a user's, with one event."""
    text = f"""
        name = "own"
        price_rule = "execution"
        [[event]]
        signature = "{signature}"
        topic0 = "{parse(signature).topic0}"
        kind = "trade"
        execution = {{ argument = "price", scale = 18 }}
        base = {{ argument = "size", scale = 18 }}
    """
    assert tomllib.loads(text)
    return from_text(text, "own.toml")


MIXED = (
    "Filled(string indexed tag, uint256 price, uint256 size, string note, bytes extra, "
    "uint8[] parts, (address,int8)[2] pairs, bytes4 code)"
)
GIVEN = {
    "price": ETHER,
    "size": "0x10",
    "note": "größer",
    "extra": "0x1234",
    "parts": ["1", 2],
    "pairs": [[ALICE, -1], [ALICE, "3"]],
    "code": "0xdeadbeef",
}


def test_texts_lists_and_tuples_are_encoded_too() -> None:
    encoded = encode(own(MIXED), "Filled", GIVEN)
    assert encoded is not None
    kinds = ["uint256", "uint256", "string", "bytes", "uint8[]", "(address,int8)[2]", "bytes4"]
    wanted = [ETHER, 16, "größer", b"\x12\x34", [1, 2], [(ALICE, -1), (ALICE, 3)]]
    assert "0x" + abi_encode(kinds, [*wanted, b"\xde\xad\xbe\xef"]).hex() == encoded.data
    assert "0x" + "00" * 32 == encoded.topics[1]


def test_those_that_say_nothing_of_the_trade_may_be_left_out() -> None:
    encoded = encode(own(MIXED), "Filled", {"price": 1, "size": 2})
    assert encoded is not None
    assert encoded.data.startswith(f"0x{1:064x}{2:064x}")


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("note", 5, "must be text"),
        ("note", "\ud800", "must be text"),
        ("extra", "0x123", "must be 0x and an even number of hex digits"),
        ("code", "0x12", "must be 0x and 8 hex digits, of type bytes4"),
        ("parts", "1", "must be a list of values of type uint8"),
        ("parts", [256], "must fit type uint8"),
        ("pairs", [[ALICE, 1]], "must be a list of 2 of type (address,int8)"),
        ("pairs", [[ALICE], [ALICE, 1]], "must be a list of 2 values, one for each part of"),
        ("pairs", [[ALICE, 128], [ALICE, 1]], "must fit type int8"),
    ],
)
def test_wrong_texts_and_lists_are_named(name: str, value: Any, rule: str) -> None:
    with pytest.raises(Mistake) as mistake:
        encode(own(MIXED), "Filled", GIVEN | {name: value})
    assert name == mistake.value.argument
    assert mistake.value.rule.startswith(rule)
