"""Intervals: their names, their lengths, and where their buckets begin.

Seconds, minutes, hours and days start at multiples of their length in unix time;
weeks are Mondays counted from 1970-01-05; months are counted from 1970-01.
`schema/queries/select_candles.sql` holds the same rule as one SQL expression.
"""

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Final, Literal

from appliance.errors import BadRequest

Unit = Literal["s", "m", "h", "d", "w", "M"]

UNIT_SECONDS: Final[dict[Unit, int]] = {
    "s": 1,
    "m": 60,
    "h": 3_600,
    "d": 86_400,
    "w": 604_800,
    "M": 2_629_746,  # the mean month, 31,556,952 s / 12: for sizes only, never for bounds
}
MONDAY_OFFSET: Final = 345_600  # 1970-01-05, the first Monday
LONGEST_S: Final = 10 * 366 * 86_400
_UNITS: Final[dict[str, Unit]] = {unit: unit for unit in UNIT_SECONDS}
_PATTERN: Final = re.compile(r"([1-9][0-9]{0,5})([smhdwMHDWS])")


@dataclass(frozen=True, slots=True)
class Interval:
    """A candle's length: `count` times `unit`."""

    count: int
    unit: Unit
    seconds: int = field(init=False, repr=False, compare=False)
    """The length in seconds (the mean length for months)."""
    months: int = field(init=False, repr=False, compare=False)
    """The number of months, 0 for all other units."""
    offset: int = field(init=False, repr=False, compare=False)
    """The unix second from which buckets are counted (not for months)."""

    def __post_init__(self) -> None:
        """Work out once what every request asks for."""
        put = object.__setattr__  # the way to set a field of a frozen dataclass
        put(self, "seconds", self.count * UNIT_SECONDS[self.unit])
        put(self, "months", self.count if self.unit == "M" else 0)
        put(self, "offset", MONDAY_OFFSET if self.unit == "w" else 0)

    def __hash__(self) -> int:
        """Return a number that is made at once: intervals are keys of what every request asks."""
        return self.seconds

    @property
    def name(self) -> str:
        """Return the name used in URLs and streams, like `1m` or `1M`."""
        return f"{self.count}{self.unit}"

    def floor(self, time: int) -> int:
        """Return the start of the bucket that holds unix second `time`."""
        if self.months:
            return _month_start(month_number(time) // self.count * self.count)
        return time - (time - self.offset) % self.seconds

    def shift(self, start: int, buckets: int) -> int:
        """Return the bucket start that is `buckets` after (before, if negative) `start`."""
        if self.months:
            return _month_start(month_number(start) + buckets * self.count)
        return start + buckets * self.seconds

    def ceil(self, time: int) -> int:
        """Return the first bucket start at or after unix second `time`."""
        if not self.months:
            return time + (self.offset - time) % self.seconds
        start = self.floor(time)
        return start if start == time else self.shift(start, 1)


def month_number(time: int) -> int:
    """Return how many months after 1970-01 the unix second `time` lies.

    Days to civil date as in Howard Hinnant's `civil_from_days`: years begin in March, so
    that the leap day is the last of its year.
    """
    days = time // 86_400 + 719_468
    era, day_of_era = divmod(days, 146_097)
    year_of_era = (
        day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    march_month = (5 * day_of_year + 2) // 153
    return (era * 400 + year_of_era) * 12 + march_month + 2 - 1970 * 12


@cache
def _month_start(month: int) -> int:
    """Return the unix second at which month `month` (counted from 1970-01) begins."""
    year, march_month = divmod(month - 2 + 1970 * 12, 12)
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * march_month + 2) // 5
    days = era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return (days - 719_468) * 86_400


STORED: Final = (
    *(Interval(1, "s"), Interval(1, "m"), Interval(5, "m"), Interval(15, "m")),
    *(Interval(1, "h"), Interval(4, "h"), Interval(1, "d")),
)
"""The intervals whose candles are stored, ascending; all others are merged from these."""

OFFERED: Final = (
    *("1s", "5s", "15s", "30s", "1m", "3m", "5m", "15m", "30m"),
    *("1h", "2h", "4h", "6h", "12h", "1d", "3d", "1w", "1M"),
)
"""The names offered in menus; any other `<n><unit>` is answered too."""


def parse(text: str, name: str = "interval") -> Interval:
    """Return the interval that `text` names: `<n><s|m|h|d|w|M>`, only m and M case-sensitive.

    Raises:
        BadRequest: the text is not an interval, or longer than ten years.
    """
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise BadRequest(
            f"{name} must be a number and one of s m h d w M, like 1m or 4h, was {text!r}", name
        )
    letter = match[2]
    interval = Interval(int(match[1]), _UNITS["M" if letter == "M" else letter.lower()])
    if interval.seconds > LONGEST_S:
        raise BadRequest(f"{name} must be at most ten years, was {text!r}", name)
    return interval


def stored_divisor(interval: Interval) -> Interval:
    """Return the longest stored interval from whose buckets `interval` can be merged whole."""
    if interval.unit in ("w", "M"):
        return STORED[-1]
    return next(i for i in reversed(STORED) if interval.seconds % i.seconds == 0)
