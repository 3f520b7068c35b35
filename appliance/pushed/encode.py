"""From named arguments to the topics and data of a log, so that the decoder reads them as any.

Arguments that prices, volumes, sides and positions are made of must be given. Others may be left
out and become zero; `without_trader` says that nobody was named.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from appliance.chain.event import EventPreset
from appliance.chain.form import Price
from appliance.chain.preset import Preset
from appliance.chain.signature import Argument
from appliance.pushed import values
from appliance.pushed.values import Wrong

_ESSENTIAL: Final = ("base", "quote", "value")
_ZERO_WORD: Final = "0" * 64


class Mistake(ValueError):
    """An argument is missing or wrong; `rule` says how it must be."""

    def __init__(self, argument: str, rule: str) -> None:
        """Name the argument."""
        super().__init__(f"{argument} {rule}")
        self.argument = argument
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Encoded:
    """What a contract would have emitted."""

    event: EventPreset
    topics: tuple[str, ...]
    data: str
    without_trader: bool = False


def encode(preset: Preset, name: str, given: Mapping[str, Any]) -> Encoded | None:
    """Return event `name` with the arguments `given`, None where the preset does not name it.

    `PositionOpened` may be spelled `position_opened`. Of several events with one name the first
    that the arguments fit is taken.

    Raises:
        Mistake: an argument is missing, or cannot be of its type.
    """
    mistake: Mistake | None = None
    for event in _named(preset).get(_plain(name), []):
        try:
            return _encoded(event, given)
        except Mistake as error:
            mistake = mistake or error
    if mistake is not None:
        raise mistake
    return None


@cache
def _named(preset: Preset) -> dict[str, list[EventPreset]]:
    found: dict[str, list[EventPreset]] = {}
    for event in preset.events.values():
        found.setdefault(_plain(event.event.name), []).append(event)
    return found


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


@cache
def _needed(event: EventPreset) -> frozenset[str]:
    """Return the arguments without which the event says nothing, or something wrong."""
    form, side = event.form, event.form.side
    numbers = [number for key, number in event.numbers.items() if key in _ESSENTIAL]
    names = [name for number in numbers for name, _ in number.terms]
    for price in (form.execution, form.after):
        names += price.arguments if isinstance(price, Price) else []
    if side is not None:
        names += [n for n in (side.flag, side.position) if n] + [n for n, _ in side.terms]
    others = (form.position, form.market, form.skip_zero, form.liquidated)
    return frozenset([*names, *(name for name in others if name)])


def _encoded(event: EventPreset, given: Mapping[str, Any]) -> Encoded:
    arguments = event.event.arguments
    for argument in arguments:
        if argument.name in _needed(event) and given.get(argument.name) is None:
            raise Mistake(argument.name, "must be given")
    topics = [event.event.topic0]
    topics += ["0x" + _word(a, given) for a in arguments if a.indexed]
    plain = [a for a in arguments if not a.indexed]
    if all(values.is_word(a.type) for a in plain):
        data = "".join(_word(a, given) for a in plain)
    else:
        data = _by_eth_abi(plain, given)
    trader = event.form.trader
    unnamed = trader is not None and given.get(trader) is None
    return Encoded(event, tuple(topics), "0x" + data, unnamed)


def _word(argument: Argument, given: Mapping[str, Any]) -> str:
    value = given.get(argument.name)
    if value is None or argument.hashed:
        return _ZERO_WORD  # of what is hashed a log keeps nothing that can be read
    try:
        return values.word(argument.type, value)
    except Wrong as error:
        raise Mistake(argument.name, str(error)) from None


def _by_eth_abi(arguments: list[Argument], given: Mapping[str, Any]) -> str:
    # Costs a fifth of a second, which nobody pays who has no such events.
    from eth_abi.abi import encode as abi_encode

    found = []
    for argument in arguments:
        value = given.get(argument.name)
        try:
            value = values.zero(argument.type) if value is None else value
            found.append(values.python_value(argument.type, value))
        except Wrong as error:
            raise Mistake(argument.name, str(error)) from None
    data: bytes = abi_encode([argument.type for argument in arguments], found)
    return data.hex()
