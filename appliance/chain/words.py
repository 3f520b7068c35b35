"""Words: the 32-byte pieces of logs, many logs at a time.

In go the topics and data of logs that claim to be one event; out comes an array of bytes
(logs × words × 32) and, for each log that breaks the event's shape, one sentence saying how.
"""

import binascii
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from appliance.chain.signature import Argument, Event

Bytes = npt.NDArray[np.uint8]
WORD: Final = 32
_TOPIC_DIGITS: Final = 2 + 2 * WORD


def shape_problem(event: Event, topics: Sequence[str], data: str) -> str:
    """Return how a log differs from the event's shape, empty when it does not."""
    if len(topics) != event.topics + 1:
        return f"must have {event.topics + 1} topics, had {len(topics)}"
    for topic in topics:
        if len(topic) != _TOPIC_DIGITS or not topic.startswith("0x"):
            return f"topics must be 0x and 64 digits, one was {topic[:80]!r}"
    if not data.startswith("0x"):
        return f"data must begin with 0x, was {data[:20]!r}"
    digits, wanted = len(data) - 2, 2 * WORD * event.words
    if digits < wanted or (digits > wanted and not event.dynamic):
        return f"data must be {event.words} words, was {digits / 64:g}"
    return ""


def parse(
    event: Event, topics: Sequence[Sequence[str]], data: Sequence[str]
) -> tuple[Bytes, dict[int, str]]:
    """Return the words of well-shaped logs, and which logs hold characters that are not hex.

    The words of a log that is named bad are zeros.
    """
    end = 2 + 2 * WORD * event.words
    digits = [
        "".join([topic[2:] for topic in row[1:]]) + text[2:end]
        for row, text in zip(topics, data, strict=True)
    ]
    size = event.topics + event.words
    bad: dict[int, str] = {}
    try:
        blob = binascii.unhexlify("".join(digits))
    except ValueError:
        blob = b"".join(_unhex(text, row, bad) for row, text in enumerate(digits))
    return np.frombuffer(blob, np.uint8).reshape(len(digits), size, WORD), bad


def _unhex(text: str, row: int, bad: dict[int, str]) -> bytes:
    try:
        return binascii.unhexlify(text)
    except ValueError:
        bad[row] = "topics and data must be hexadecimal digits"
        return bytes(len(text) // 2)


def range_problems(argument: Argument, words: Bytes) -> npt.NDArray[np.bool_]:
    """Return which rows hold a value that the argument's type cannot have."""
    column = words[:, argument.word, :]
    if argument.type == "bool":
        return np.asarray(column[:, :-1].any(axis=1) | (column[:, -1] > 1))
    if argument.type == "address":
        return np.asarray(column[:, :12].any(axis=1))
    spare = WORD - argument.bits // 8 if argument.bits else 0
    if not argument.signed or not spare:
        return np.asarray(column[:, :spare].any(axis=1))
    sign = np.where(column[:, spare] >= 0x80, 0xFF, 0).astype(np.uint8)
    return np.asarray((column[:, :spare] != sign[:, None]).any(axis=1))


def integers(argument: Argument, words: Bytes) -> list[int]:
    """Return the exact value of a number (or bool) in each row."""
    column = np.ascontiguousarray(words[:, argument.word, :])
    limbs: npt.NDArray[Any] = column.view(">u8")
    if not limbs[:, :3].any() and not (limbs[:, 3] >> np.uint64(63)).any():
        small: list[int] = limbs[:, 3].tolist()
        return small
    blob, read = column.tobytes(), int.from_bytes
    signed = argument.signed
    return [read(blob[i : i + WORD], "big", signed=signed) for i in range(0, len(blob), WORD)]


def addresses(argument: Argument, words: Bytes) -> list[str]:
    """Return the address in each row, in lower case."""
    text = words[:, argument.word, 12:].tobytes().hex()
    return ["0x" + text[i : i + 40] for i in range(0, len(text), 40)]
