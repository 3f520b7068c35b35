"""Event signatures: what a person writes in Solidity, and where each argument lies in a log.

In goes `Swap(address indexed sender, int256 amount0, …)`; out comes an `Event` that knows its
topic0 and, for every argument, which 32-byte word holds it. Words are counted over the indexed
topics first and the data after them, so one number says where to look.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from eth_hash.auto import keccak

from appliance.errors import ConfigError

_SIGNATURE: Final = re.compile(r"([A-Za-z_$][\w$]*)\s*\(([^()]*)\)")
_NUMBER: Final = re.compile(r"(u?)int(\d+)")
_BYTES: Final = re.compile(r"bytes([1-9]|[12]\d|3[0-2])")
_DYNAMIC: Final = re.compile(r"string|bytes|.+\[\]")
_ALIASES: Final = {"uint": "uint256", "int": "int256"}


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument; `word` counts 32-byte words over the indexed topics, then the data."""

    name: str
    type: str
    indexed: bool
    word: int

    @property
    def bits(self) -> int:
        """Return the width of a number, 0 for every other type."""
        match = _NUMBER.fullmatch(self.type)
        return int(match[2]) if match else 0

    @property
    def signed(self) -> bool:
        """Return whether this is an `intN`."""
        return self.type.startswith("int")

    @property
    def dynamic(self) -> bool:
        """Return whether the word is only an offset (or, indexed, a hash) of the value."""
        return _DYNAMIC.fullmatch(self.type) is not None


@dataclass(frozen=True)
class Event:
    """An event as declared; `topics` indexed arguments, `words` words at the data's head."""

    name: str
    arguments: tuple[Argument, ...]
    topics: int
    words: int

    @property
    def canonical(self) -> str:
        """Return the form that is hashed: name and types only."""
        return f"{self.name}({','.join(argument.type for argument in self.arguments)})"

    @cached_property
    def topic0(self) -> str:
        """Return the keccak hash by which logs name this event, as 0x and 64 digits."""
        return "0x" + keccak(self.canonical.encode()).hex()

    @cached_property
    def dynamic(self) -> bool:
        """Return whether the data may be longer than its head."""
        return any(a.dynamic and not a.indexed for a in self.arguments)

    def argument(self, name: str) -> Argument | None:
        """Return the argument called `name`, None when there is none."""
        return next((a for a in self.arguments if a.name == name), None)


def parse(text: str) -> Event:
    """Return the event that `text` declares.

    Raises:
        ConfigError: the text is not `Name(type [indexed] name, …)`; names what is wrong.
    """
    match = _SIGNATURE.fullmatch(text.strip().removeprefix("event ").removesuffix(";").strip())
    if match is None:
        raise ConfigError(f"signature must look like Name(type [indexed] name, …), was {text!r}")
    declared = [_declared(part) for part in match[2].split(",")] if match[2].strip() else []
    topics = sum(indexed for _, indexed, _ in declared)
    if topics > 3:
        raise ConfigError(f"signature must have at most 3 indexed arguments, had {topics}")
    names = [name for _, _, name in declared]
    if len(set(names)) < len(names):
        raise ConfigError(f"signature must name each argument once, was {text!r}")
    words = {True: iter(range(topics)), False: iter(range(topics, len(declared)))}
    arguments = tuple(Argument(name, kind, i, next(words[i])) for kind, i, name in declared)
    return Event(match[1], arguments, topics, len(declared) - topics)


def _declared(part: str) -> tuple[str, bool, str]:
    """Return type, indexed and name of one argument as written."""
    match part.split():
        case [kind, "indexed", name]:
            indexed = True
        case [kind, name] if name != "indexed":
            indexed = False
        case _:
            raise ConfigError(f"argument must be `type [indexed] name`, was {part.strip()!r}")
    return _type(kind), indexed, name


def _type(text: str) -> str:
    """Return the canonical name of a type that fills one word."""
    kind = _ALIASES.get(text, text)
    number = _NUMBER.fullmatch(kind)
    known = (
        kind in {"address", "bool"}
        or (number is not None and int(number[2]) in range(8, 257, 8))
        or _BYTES.fullmatch(kind) is not None
        or _DYNAMIC.fullmatch(kind) is not None
    )
    if not known:
        raise ConfigError(
            f"type must be bool, address, string, bytes, (u)intN, bytesN or T[], was {text!r}"
        )
    return kind
