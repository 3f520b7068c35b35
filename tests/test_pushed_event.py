"""The fields of an event are read leniently, and wrong ones are named."""

from decimal import Decimal
from typing import Any

import pytest

from appliance.errors import BadRequest
from appliance.pushed.event import read
from tests.chain_logs import VAMM
from tests.conftest import NOW

LATEST_US = (NOW + 60) * 10**6
EVENT: dict[str, Any] = {
    "contractAddress": VAMM.upper().replace("0X", "0x"),
    "eventType": "PositionOpened",
    "blockNumber": 100,
    "logIndex": 1,
    "transactionHash": "0xABC",
    "timestamp": 1_700_000_000,
    "args": {"size": 1},
}


def one(**changed: Any) -> Any:
    (found,) = read([EVENT | changed], LATEST_US)
    return found


def test_an_event_in_full() -> None:
    found = one(chainId="137", symbol="btc", decimals0=6, decimals1="18")
    assert (VAMM, "PositionOpened", {"size": 1}) == (found.address, found.name, found.given)
    assert (100, 1, "0xabc") == (found.block_number, found.log_index, found.transaction_hash)
    assert (137, "BTC", (6, 18)) == (found.chain_id, found.symbol, found.decimals)


def test_the_flat_form_has_its_arguments_beside() -> None:
    """`market` is the symbol, too."""
    found = one(args=None, size="5", market="gold")
    assert ("5", "GOLD", "") == (found.given["size"], found.symbol, found.arguments)


@pytest.mark.parametrize(
    "time",
    [
        *(1_700_000_000, 1_700_000_000_000, 1_700_000_000_000_000, "1700000000"),
        *("0x6553f100", "2023-11-14T22:13:20Z", Decimal("1700000000.0"), Decimal("1.7e9")),
    ],
)
def test_times_are_read_in_every_unit(time: Any) -> None:
    assert 1_700_000_000_000_000 == one(timestamp=time).time_us


@pytest.mark.parametrize("number", [7, "7", "0x7", Decimal(7), {"hex": "0x07"}])
def test_places_are_read_in_every_spelling(number: Any) -> None:
    found = one(blockNumber=number, logIndex=number)
    assert (7, 7) == (found.block_number, found.log_index)


def test_a_block_without_a_log_index_is_no_place() -> None:
    found = one(logIndex=None)
    assert (None, None) == (found.block_number, found.log_index)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"contractAddress": None}, "events[0].contractAddress must be given"),
        (
            {"contractAddress": "0x12"},
            "events[0].contractAddress must be an address, 0x and 40 hex digits, was '0x12'",
        ),
        ({"eventType": None}, "events[0].eventType must be given"),
        ({"eventType": 5}, "events[0].eventType must be text of 1 to 256 characters, was 5"),
        ({"eventType": ""}, "events[0].eventType must be text of 1 to 256 characters, was ''"),
        ({"blockNumber": None}, "events[0].blockNumber must be given, as logIndex is"),
        ({"blockNumber": -1}, "events[0].blockNumber must be from 0 to 17592186044415, was -1"),
        ({"blockNumber": "x"}, "events[0].blockNumber must be a whole number, in digits or as"),
        ({"logIndex": 1 << 20}, "events[0].logIndex must be from 0 to 1048575, was 1048576"),
        ({"logIndex": True}, "events[0].logIndex must be a whole number"),
        ({"timestamp": None}, "events[0].timestamp must be given"),
        ({"timestamp": "soon"}, "events[0].timestamp must be unix seconds, milliseconds or"),
        ({"timestamp": True}, "events[0].timestamp must be unix seconds"),
        ({"timestamp": []}, "events[0].timestamp must be unix seconds"),
        ({"timestamp": Decimal("nan")}, "events[0].timestamp must be unix seconds"),
        ({"timestamp": "0xzz"}, "events[0].timestamp must be unix seconds"),
        ({"timestamp": 1}, "events[0].timestamp must be from 2000-01-01 to one minute ahead"),
        (
            {"timestamp": NOW + 61, "logIndex": None},
            "events[0].timestamp must be from 2000-01-01 to one minute ahead",
        ),
        (
            {"transactionHash": None, "logIndex": None},
            "events[0].transactionHash must be given where logIndex is absent: the event's id is",
        ),
        ({"transactionHash": "\ud800"}, "events[0].transactionHash must be 0x and hex digits, was"),
        ({"args": [1]}, "events[0].args must be an object of the event's arguments, was [1]"),
        ({"chainId": 0}, "events[0].chainId must be from 1 to 9007199254740991, was 0"),
        ({"symbol": "a b"}, "events[0].symbol must be up to 32 letters, digits and . _ -"),
        ({"market": 5}, "events[0].market must be text of 1 to 256 characters, was 5"),
        ({"decimals0": 6}, "events[0].decimals1 must be given, as decimals0 and decimals1 go"),
        ({"decimals0": 78, "decimals1": 1}, "events[0].decimals0 must be from 0 to 77, was 78"),
    ],
)
def test_wrong_fields_are_named(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRequest) as refused:
        one(**changed)
    assert str(refused.value).startswith(message)
    assert message.partition(" ")[0] == refused.value.field
    str(refused.value).encode()


def test_an_event_that_came_alone_has_no_index() -> None:
    with pytest.raises(BadRequest, match=r"^timestamp must be given") as refused:
        read([EVENT | {"timestamp": None}], LATEST_US, one=True)
    assert "timestamp" == refused.value.field


@pytest.mark.parametrize(("event", "shown"), [(5, "5"), (None, "None"), ([], "[]")])
def test_an_event_is_an_object(event: Any, shown: str) -> None:
    with pytest.raises(BadRequest, match=r"events\[1\] must be an object, was ") as refused:
        read([EVENT, event], LATEST_US)
    assert str(refused.value).endswith(shown)
