"""Whole events by eth_abi: every argument of one log, strings and arrays too.

Slower than `words`, which reads only numbers and addresses; for factories' logs, which are few,
and for the checks of events whose data has no fixed length.
"""

import binascii
from collections.abc import Sequence
from typing import Any

from appliance.chain.signature import Argument, Event
from appliance.chain.words import shape_problem


def values(event: Event, topics: Sequence[str], data: str) -> dict[str, Any]:
    """Return the arguments by name: addresses in lower case, bytes as bytes, numbers exact.

    An indexed string or array is only known by its hash, which is returned. Characters of a
    string that are not UTF-8 are replaced: they hide no market.

    Raises:
        ValueError: the log is not what the signature promises; says how.
    """
    # Costs a fifth of a second, which a start without factories does not pay.
    from eth_abi.abi import decode
    from eth_abi.exceptions import DecodingError

    problem = shape_problem(event, topics, data)
    if problem:
        raise ValueError(problem)
    plain = [a for a in event.arguments if not a.indexed]
    indexed = [a for a in event.arguments if a.indexed]
    try:
        found = list(decode([_read_as(a) for a in plain], _bytes(data)))
        found += [
            decode([_read_as(a)], _bytes(topic))[0]
            for a, topic in zip(indexed, topics[1:], strict=True)
        ]
    except (DecodingError, OverflowError) as error:
        raise ValueError(f"data must be of the types in {event.canonical}: {error}") from error
    named = dict(zip([a.name for a in (*plain, *indexed)], found, strict=True))
    return {a.name: _value(a, named[a.name]) for a in event.arguments}


def _bytes(text: str) -> bytes:
    try:
        return binascii.unhexlify(text[2:])
    except ValueError as error:
        raise ValueError("topics and data must be hexadecimal digits") from error


def _read_as(argument: Argument) -> str:
    if argument.hashed:
        return "bytes32"
    return "bytes" if argument.type == "string" else argument.type


def _value(argument: Argument, value: Any) -> Any:
    if argument.type == "string" and not argument.hashed:
        return value.decode("utf-8", "replace")
    return value
