"""Arguments of events as callers write them, and the 32-byte words that contracts emit for them.

Numbers are JSON numbers, decimal strings, `0x…` hex strings, or what ethers makes of a BigNumber,
`{"type":"BigNumber","hex":"0x…"}`. They are whole and stay exact: a contract emits no fractions.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from appliance.chain import types

_DECIMAL: Final = re.compile(r"-?[0-9]{1,80}")
_HEX: Final = re.compile(r"-?0[xX][0-9a-fA-F]{1,64}")
_BYTES: Final = re.compile(r"0[xX](?:[0-9a-fA-F]{2})*")
_ADDRESS: Final = re.compile(r"0[xX][0-9a-fA-F]{40}")
_FIXED: Final = re.compile(r"bytes([0-9]+)")
_ARRAY: Final = re.compile(r"(.+)\[([0-9]*)\]", re.DOTALL)
_SIZE: Final = 32
_DIGITS: Final = 80
_TRUTHS: Final = {True: True, False: False, "true": True, "false": False}


class Wrong(ValueError):
    """A value cannot be what it should; the text is the rule it breaks: "must be …"."""


def integer(value: Any) -> int:
    """Return a whole number.

    Raises:
        Wrong: it is none.
    """
    if isinstance(value, dict):
        value = value.get("hex", value.get("_hex"))
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return int(value)
    if isinstance(value, str) and _HEX.fullmatch(value):
        return int(value, 16)
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < _DIGITS:
        whole = int(value)
        if whole == value:
            return whole
    raise Wrong("must be a whole number, in digits or as 0x and hex digits")


def address(value: Any) -> str:
    """Return an address in lower case.

    Raises:
        Wrong: it is none.
    """
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        raise Wrong("must be an address, 0x and 40 hex digits")
    return value.lower()


def is_word(kind: str) -> bool:
    """Return whether a value of this canonical type is one word of the data."""
    return not types.is_dynamic(kind) and not types.is_composite(kind)


def word(kind: str, value: Any) -> str:
    """Return the 64 hex digits that stand for a value of a type of one word.

    Raises:
        Wrong: the type has no such value.
    """
    found = python_value(kind, value)
    if isinstance(found, bytes):
        return found.ljust(_SIZE, b"\0").hex()
    if isinstance(found, str):
        return found[2:].rjust(2 * _SIZE, "0")
    return f"{int(found) % (1 << 256):064x}"


def python_value(kind: str, value: Any) -> Any:
    """Return what eth_abi takes for a value of a canonical type.

    Raises:
        Wrong: the type has no such value.
    """
    if array := _ARRAY.fullmatch(kind):
        return _array(array[1], array[2], value)
    if kind.startswith("("):
        return _tuple(kind, value)
    return _single(kind, value)


def zero(kind: str) -> Any:
    """Return the value of a canonical type that stands for nothing."""
    if array := _ARRAY.fullmatch(kind):
        return [zero(array[1])] * int(array[2] or 0)
    if kind.startswith("("):
        return [zero(member) for member in types.split(kind[1:-1])]
    if kind == "string":
        return ""
    if kind.startswith("bytes"):
        return "0x" + "00" * int(kind.removeprefix("bytes") or 0)
    return "0x" + "0" * 40 if kind == "address" else kind != "bool" and 0


def _single(kind: str, value: Any) -> Any:
    readers: dict[str, Callable[[Any], Any]] = {
        "address": address,
        "bool": _truth,
        "string": _text,
        "bytes": _bytes,
    }
    if kind in readers:
        return readers[kind](value)
    if fixed := _FIXED.fullmatch(kind):
        found = _bytes(value)
        if len(found) != int(fixed[1]):
            raise Wrong(f"must be 0x and {2 * int(fixed[1])} hex digits, of type {kind}")
        return found
    return _number(kind, value)


def _number(kind: str, value: Any) -> int:
    try:
        number = integer(value)
    except Wrong:
        raise Wrong(
            f"must be a whole number of type {kind} as the contract emits it, with all its "
            "digits, like 2000 × 10^18"
        ) from None
    match = types.NUMBER.fullmatch(kind)
    bits = int(match[2]) if match else 256
    low, high = (0, 1 << bits) if kind.startswith("u") else (-1 << (bits - 1), 1 << (bits - 1))
    if not low <= number < high:
        raise Wrong(f"must fit type {kind}")
    return number


def _truth(value: Any) -> bool:
    known = isinstance(value, bool | str) or (isinstance(value, int) and value in (0, 1))
    found = _TRUTHS.get(value.lower() if isinstance(value, str) else value) if known else None
    if found is None:
        raise Wrong("must be true or false")
    return found


def _text(value: Any) -> str:
    try:
        if isinstance(value, str):
            value.encode()
            return value
    except UnicodeEncodeError:
        pass  # half of a surrogate pair: told below, as anything else that is no text
    raise Wrong("must be text")


def _bytes(value: Any) -> bytes:
    if not isinstance(value, str) or not _BYTES.fullmatch(value):
        raise Wrong("must be 0x and an even number of hex digits")
    return bytes.fromhex(value[2:])


def _array(kind: str, length: str, value: Any) -> list[Any]:
    if not isinstance(value, list) or (length and len(value) != int(length)):
        raise Wrong(f"must be a list of {length or 'values'} of type {kind}".strip())
    return [python_value(kind, each) for each in value]


def _tuple(kind: str, value: Any) -> list[Any]:
    members = list(types.split(kind[1:-1]))
    if not isinstance(value, list) or len(value) != len(members):
        raise Wrong(f"must be a list of {len(members)} values, one for each part of {kind}")
    return [python_value(each, part) for each, part in zip(members, value, strict=True)]
