"""Made-up logs of every preset's events, and the JSON ABI for reading them with web3.

Nothing here comes from the decoder but what a preset's file says: signatures are taken apart and
values encoded a second time. `bench/decode.py` measures with these logs.
"""

import random
import re
from functools import cache
from typing import Any, Final

from appliance.chain.event import EventPreset
from appliance.chain.log import Log

CONTRACT: Final = "0x00000000000000000000000000000000000000aa"
_TIME_US: Final = 1_700_000_000 * 10**6
_POINTS: Final = (0, 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**127, 2**128)
_ARGUMENT: Final = re.compile(r"(\w+)( indexed)? (\w+)")


@cache
def json_abi(event: EventPreset) -> dict[str, Any]:
    """Return what a contract's ABI says of an event."""
    name, _, rest = event.form.signature.partition("(")
    inputs = [
        {"type": kind, "name": argument, "indexed": bool(indexed)}
        for kind, indexed, argument in _ARGUMENT.findall(rest)
    ]
    return {"type": "event", "name": name, "inputs": inputs, "anonymous": False}


@cache
def _codec() -> Any:
    from web3 import Web3

    return Web3().codec


def by_web3(event: EventPreset, log: Log) -> dict[str, Any]:
    """Return a log's arguments as web3 reads them, with addresses in lower case."""
    from web3._utils.events import get_event_data

    raw = {
        "address": log.address,
        "topics": [bytes.fromhex(topic[2:]) for topic in log.topics],
        "data": bytes.fromhex(log.data[2:]),
        "blockNumber": log.block_number,
        "blockHash": b"\0" * 32,
        "transactionHash": b"\0" * 32,
        "transactionIndex": 0,
        "logIndex": log.log_index,
    }
    abi = json_abi(event)
    read: dict[str, Any] = get_event_data(_codec(), abi, raw)["args"]
    addresses = {i["name"] for i in abi["inputs"] if i["type"] == "address"}
    return {name: v.lower() if name in addresses else v for name, v in read.items()}


def extreme(kind: str, source: random.Random) -> Any:
    """Return any value of a type, often one at an edge."""
    number = re.fullmatch(r"(u?)int(\d+)", kind)
    if number is not None:
        bits = int(number[2])
        low, high = (0, 2**bits - 1) if number[1] else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        points = (low, high, -1, *_POINTS, source.randint(low, high), source.getrandbits(bits // 2))
        return min(max(source.choice(points), low), high)
    if kind == "bool":
        return source.random() < 0.5
    if kind == "string":
        return "".join(
            chr(source.choice((65, 233, 0x4E2D, 0x1F600))) for _ in range(source.randrange(70))
        )
    digits = 20 if kind == "address" else 32
    blob = source.choice((bytes(digits), b"\xff" * digits, source.randbytes(digits)))
    return "0x" + blob.hex() if kind == "address" else blob


def log(event: EventPreset, values: dict[str, Any], place: tuple[int, int] = (1, 0)) -> Log:
    """Return the log at (block, log index) that says `values`; a block takes a second."""
    inputs = json_abi(event)["inputs"]
    topics = ["0x" + _word(i["type"], values[i["name"]]).hex() for i in inputs if i["indexed"]]
    data = _encoded([(i["type"], values[i["name"]]) for i in inputs if not i["indexed"]])
    block, index = place
    time_us = _TIME_US + block * 10**6
    tag = f"0x{block:056x}{index:08x}"
    return Log(
        block, time_us, tag, index, CONTRACT, [event.form.topic0, *topics], "0x" + data.hex()
    )


def _encoded(plain: list[tuple[str, Any]]) -> bytes:
    head, tail = b"", b""
    for kind, value in plain:
        if kind == "string":
            head += _word("uint256", 32 * len(plain) + len(tail))
            text = value.encode()
            tail += _word("uint256", len(text)) + text + bytes(-len(text) % 32)
        else:
            head += _word(kind, value)
    return head + tail


def _word(kind: str, value: Any) -> bytes:
    if isinstance(value, bytes):
        return value.ljust(32, b"\0")
    number = int(value, 16) if isinstance(value, str) else int(value)
    return (number % 2**256).to_bytes(32, "big")
