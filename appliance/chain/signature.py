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

from appliance.chain import types
from appliance.errors import ConfigError

_SIGNATURE: Final = re.compile(r"([A-Za-z_$][\w$]*)\s*\((.*)\)", re.DOTALL)
_ARGUMENT: Final = re.compile(r"(.+?)(\s+indexed)?\s+([A-Za-z_$][\w$]*)", re.DOTALL)


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
        match = types.NUMBER.fullmatch(self.type)
        return int(match[2]) if match else 0

    @property
    def signed(self) -> bool:
        """Return whether this is an `intN`."""
        return self.type.startswith("int")

    @property
    def hashed(self) -> bool:
        """Return whether the topic holds only the hash of the value."""
        return self.indexed and (types.is_composite(self.type) or types.is_dynamic(self.type))


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
        return any(types.is_dynamic(a.type) and not a.indexed for a in self.arguments)

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
    declared = [_declared(part) for part in types.split(match[2])]
    topics = sum(indexed for _, indexed, _ in declared)
    if topics > 3:
        raise ConfigError(f"signature must have at most 3 indexed arguments, had {topics}")
    names = [name for _, _, name in declared]
    if len(set(names)) < len(names):
        raise ConfigError(f"signature must name each argument once, was {text!r}")
    arguments, topic, word = [], 0, topics
    for kind, indexed, name in declared:
        arguments.append(Argument(name, kind, indexed, topic if indexed else word))
        topic += indexed
        word += 0 if indexed else types.head_words(kind)
    return Event(match[1], tuple(arguments), topics, word - topics)


def _declared(part: str) -> tuple[str, bool, str]:
    """Return type, indexed and name of one argument as written."""
    match = _ARGUMENT.fullmatch(part.strip())
    if match is None or match[3] == "indexed":
        raise ConfigError(f"argument must be `type [indexed] name`, was {part.strip()!r}")
    return types.canonical(match[1]), match[2] is not None, match[3]
