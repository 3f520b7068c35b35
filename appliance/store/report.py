"""What verifying found: counts by interval, where, and whether all is equal now.

It is remembered in the checkpoints (kind `verify`), answered by the admin route and printed by the
command line, all in one form. Times are unix seconds; what is listed is bounded.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from clickhouse_connect.driver.client import Client

from appliance.interval import STORED
from appliance.store import checkpoints
from appliance.store.compare import Example, Found
from appliance.store.journal import Span
from appliance.store.rebuild import DAY_S

_KIND: Final = "verify"
_KEY: Final = "last"
_LISTED_MAX: Final = 50
_NAMES: Final = {interval.seconds: interval.name for interval in STORED}


class IntervalCounts(msgspec.Struct):
    """The candles of one interval: how many there were, and how many were not as they must be."""

    interval: str
    checked: int = 0
    differing: int = 0
    missing: int = 0
    extra: int = 0


class UnequalCandle(msgspec.Struct, frozen=True):
    """One candle that is not what its trades make."""

    symbol: str
    interval: str
    start: int
    problem: str


class UnequalDays(msgspec.Struct, frozen=True):
    """Whole days of a market with unequal candles; `last` is the last second of the last day."""

    symbol: str
    first: int
    last: int


class Report(msgspec.Struct):
    """The outcome of one verify.

    `first` and `last` are the starts of the first and the last day checked, 0 without candles.
    `found` counts the unequal candles, `remaining` those that are still unequal after the repair,
    or all without one. `ranges` and `examples` list the first few of what was found. `damaged`
    names parts of tables that cannot be read, `lost` says which trades went with them.
    """

    recent: bool
    repair: bool
    at: int = 0
    first: int = 0
    last: int = 0
    found: int = 0
    remaining: int = 0
    unequal_days: int = 0
    intervals: list[IntervalCounts] = []
    ranges: list[UnequalDays] = []
    examples: list[UnequalCandle] = []
    damaged: list[str] = []
    lost: list[str] = []

    @property
    def equal(self) -> bool:
        """Return whether every candle equals its trades now, and all could be read."""
        return not self.remaining and (self.repair or not self.damaged)

    @property
    def days_checked(self) -> int:
        """Return how many days lie from the first to the last, both inside."""
        return (self.last - self.first) // DAY_S + 1 if self.last else 0


class Tally:
    """Adds up what is found, piece by piece, into a report."""

    def __init__(self, report: Report, symbols: dict[int, str]) -> None:
        """Begin with a report that counts nothing."""
        self._report = report
        self._symbols = symbols
        self._counts: dict[int, IntervalCounts] = {}

    def add(self, found: Iterable[Found], unequal: Iterable[Span]) -> None:
        """Count what one piece holds."""
        report = self._report
        for each in found:
            name = interval_name(each.interval)
            counts = self._counts.setdefault(each.interval, IntervalCounts(name))
            counts.checked += each.checked
            counts.differing += each.differing
            counts.missing += each.missing
            counts.extra += each.extra
            report.found += each.unequal
            first, last = each.first // DAY_S * DAY_S, each.last // DAY_S * DAY_S
            report.first = min(first, report.first or first)
            report.last = max(last, report.last)
            report.examples += [self._candle(example) for example in each.examples]
        for span in unequal:
            report.unequal_days += (span.last - span.first) // DAY_S + 1
            report.ranges.append(UnequalDays(self._symbol(span.market_id), span.first, span.last))
        del report.examples[_LISTED_MAX:], report.ranges[_LISTED_MAX:]
        report.intervals = [self._counts[seconds] for seconds in sorted(self._counts)]

    def _candle(self, example: Example) -> UnequalCandle:
        symbol, name = self._symbol(example.market_id), interval_name(example.interval)
        return UnequalCandle(symbol, name, example.start, example.problem)

    def _symbol(self, market_id: int) -> str:
        return self._symbols.get(market_id, f"market {market_id}")


def interval_name(seconds: int) -> str:
    """Return the name of a stored interval; what no interval is stored under is named by length."""
    return _NAMES.get(seconds, f"{seconds}s")


def remember(client: Client, report: Report) -> None:
    """Store a report in place of the former one."""
    checkpoints.write(client, _KIND, _KEY, msgspec.json.encode(report).decode())


def remembered(client: Client) -> Report | None:
    """Return the last report, None if nothing was ever verified or another version wrote it."""
    value = checkpoints.read(client, _KIND).get(_KEY)
    try:
        return msgspec.json.decode(value, type=Report) if value else None
    except msgspec.MsgspecError:
        return None
