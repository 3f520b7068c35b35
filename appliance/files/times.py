"""Times as callers write them: unix seconds, milliseconds or microseconds, or ISO 8601.

The unit of a number is told by its magnitude: below 1e11 seconds (to the year 5138), below 1e14
milliseconds, below 1e17 microseconds. ISO 8601 without an offset is UTC.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import numpy as np
import numpy.typing as npt

SECONDS_BELOW: Final = 10**11
MILLISECONDS_BELOW: Final = 10**14
MICROSECONDS_BELOW: Final = 10**17
RULE: Final = "must be unix seconds, milliseconds or microseconds, or ISO 8601"
_NUMBER: Final = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class BadTime(ValueError):
    """The time at `index` cannot be read."""

    def __init__(self, index: int) -> None:
        """Keep the position, for a message that names it."""
        super().__init__(f"{RULE} (at {index})")
        self.index = index


def microseconds(times: Sequence[int | float | str]) -> npt.NDArray[np.int64]:
    """Return `times` in microseconds since the epoch.

    Raises:
        BadTime: one cannot be read; the first is named.
    """
    if set(map(type, times)) == {int}:
        try:
            return _of_integers(np.array(times, np.int64))
        except OverflowError:
            pass  # one is beyond 64 bits: the loop below finds it
    return np.array([_checked(time, index) for index, time in enumerate(times)], np.int64)


def microsecond(time: int | float | str) -> int:
    """Return one time in microseconds since the epoch; ValueError if it cannot be read."""
    if isinstance(time, str):
        return _of_text(time.strip())
    if not 0 <= time < MICROSECONDS_BELOW:  # also refuses not-a-number
        raise ValueError(RULE)
    return round(time * _factor(time))


def _checked(time: int | float | str, index: int) -> int:
    try:
        return microsecond(time)
    except ValueError:
        raise BadTime(index) from None


def _of_integers(times: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    wrong = (times < 0) | (times >= MICROSECONDS_BELOW)
    if wrong.any():
        raise BadTime(int(wrong.argmax()))
    factors = np.where(times < SECONDS_BELOW, 10**6, np.where(times < MILLISECONDS_BELOW, 10**3, 1))
    return times * factors


def _of_text(text: str) -> int:
    if _NUMBER.fullmatch(text):
        number = Decimal(text)
        if number >= MICROSECONDS_BELOW:
            raise ValueError(RULE)
        return int(number * _factor(number))
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MICROSECOND


def _factor(number: float | Decimal) -> int:
    if number < SECONDS_BELOW:
        return 10**6
    return 10**3 if number < MILLISECONDS_BELOW else 1
