"""What one log says of its market and position, before anything is decoded."""

from collections.abc import Sequence
from typing import Final

from appliance.chain.event import EventPreset
from appliance.chain.signature import Argument, Event

_DIGITS: Final = 64


def key_of(event: EventPreset | None, topics: Sequence[str], data: str) -> str:
    """Return the key of the market that a log names, as 0x and 64 digits; empty if it does not."""
    if event is None or event.form.market is None:
        return ""
    found = _word(event.event, event.argument(event.form.market), topics, data)
    return f"0x{found}" if found else ""


def position_of(event: EventPreset, topics: Sequence[str], data: str) -> str:
    """Return the position that a log names, as rows hold it; empty if it does not."""
    side = event.form.side
    name = (side.position if side is not None else None) or event.form.position
    if name is None:
        return ""
    argument = event.argument(name)
    found = _word(event.event, argument, topics, data)
    if not found:
        return ""
    number = int(found, 16)
    return str(number - (1 << 256) if argument.signed and number >> 255 else number)


def _word(event: Event, argument: Argument, topics: Sequence[str], data: str) -> str:
    """Return the 64 digits of an argument, empty where a log is too short or holds others."""
    if argument.word < event.topics:
        text = topics[argument.word + 1][2:] if len(topics) > argument.word + 1 else ""
    else:
        start = 2 + _DIGITS * (argument.word - event.topics)
        text = data[start : start + _DIGITS]
    text = text.lower()
    return text if len(text) == _DIGITS and not set(text) - set("0123456789abcdef") else ""
