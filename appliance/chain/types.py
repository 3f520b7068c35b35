"""Solidity types: their canonical names, and how many words they fill.

`uint` is `uint256`, a tuple is written `(type name, …)` with or without names, arrays follow as
`[3]` or `[]`.
"""

import re
from collections.abc import Iterator
from typing import Final

from appliance.errors import ConfigError

NUMBER: Final = re.compile(r"(u?)int(\d+)")
_BYTES: Final = re.compile(r"bytes([1-9]|[12]\d|3[0-2])")
_ARRAY: Final = re.compile(r"(.+)\[(\d*)\]", re.DOTALL)
_TUPLE: Final = re.compile(r"(?:tuple)?\s*\((.*)\)", re.DOTALL)
_ALIASES: Final = {"uint": "uint256", "int": "int256"}
_DYNAMIC: Final = {"string", "bytes"}


def canonical(text: str) -> str:
    """Return the name of a type as it is hashed.

    Raises:
        ConfigError: Solidity has no such type; names it.
    """
    text = text.strip()
    array = _ARRAY.fullmatch(text)
    if array is not None and array[2] != "0":
        return f"{canonical(array[1])}[{array[2]}]"
    group = _TUPLE.fullmatch(text)
    if group is not None:
        return f"({','.join(canonical(_unnamed(part)) for part in split(group[1]))})"
    kind = _ALIASES.get(text, text)
    number = NUMBER.fullmatch(kind)
    known = (
        kind in {"address", "bool", *_DYNAMIC}
        or (number is not None and int(number[2]) in range(8, 257, 8))
        or _BYTES.fullmatch(kind) is not None
    )
    if not known:
        raise ConfigError(
            "type must be bool, address, string, bytes, (u)intN, bytesN, T[], T[n] or a tuple "
            f"(T, …), was {text!r}"
        )
    return kind


def is_dynamic(kind: str) -> bool:
    """Return whether the head holds only an offset of a value of this canonical type."""
    array = _ARRAY.fullmatch(kind)
    if array is not None:
        return array[2] == "" or is_dynamic(array[1])
    return kind in _DYNAMIC or any(map(is_dynamic, _members(kind)))


def is_composite(kind: str) -> bool:
    """Return whether a value is made of several."""
    return kind.endswith("]") or kind.startswith("(")


def head_words(kind: str) -> int:
    """Return how many words of the data's head a value fills."""
    if is_dynamic(kind):
        return 1
    array = _ARRAY.fullmatch(kind)
    if array is not None:
        return int(array[2]) * head_words(array[1])
    return sum(map(head_words, _members(kind))) if is_composite(kind) else 1


def split(text: str) -> Iterator[str]:
    """Yield what commas outside of parentheses separate; nothing for blank text."""
    depth, start = 0, 0
    for at, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            yield text[start:at]
            start = at + 1
    if text.strip():
        yield text[start:]


def _members(kind: str) -> Iterator[str]:
    group = _TUPLE.fullmatch(kind)
    return split(group[1]) if group is not None else iter(())


def _unnamed(member: str) -> str:
    """Return a tuple's member without its name."""
    parts = member.strip()
    end = parts.rfind(")") + 1
    tail = parts[end:].split()
    return parts[:end] + (tail[0] if tail and (not end or tail[0].startswith("[")) else "")
