"""Where buckets begin, for every interval, in Python and (test_datafeed) in SQL."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import BadRequest
from appliance.interval import OFFERED, STORED, Interval, month_number, parse, stored_divisor

TIMES = st.integers(-(10**9), 4 * 10**9)
INTERVALS = st.builds(
    Interval, st.integers(1, 500), st.sampled_from(["s", "m", "h", "d", "w", "M"])
)


@given(TIMES, INTERVALS)
def test_floor_is_the_last_start_at_or_before(time: int, interval: Interval) -> None:
    """floor(t) <= t < the next start, and starts are their own floor."""
    start = interval.floor(time)
    assert start <= time < interval.shift(start, 1)
    assert interval.floor(start) == start
    assert interval.shift(interval.shift(start, 3), -3) == start


@given(TIMES)
def test_month_number_is_the_calendar_s(time: int) -> None:
    """Months agree with the standard library."""
    moment = datetime.fromtimestamp(time, UTC)
    assert month_number(time) == (moment.year - 1970) * 12 + moment.month - 1
    start = datetime.fromtimestamp(Interval(1, "M").floor(time), UTC)
    assert start == datetime(moment.year, moment.month, 1, tzinfo=UTC)


@given(TIMES)
def test_weeks_begin_on_monday(time: int) -> None:
    """1w starts on a Monday at midnight."""
    start = datetime.fromtimestamp(Interval(1, "w").floor(time), UTC)
    assert (start.weekday(), start.hour, start.minute, start.second) == (0, 0, 0, 0)


@given(TIMES, st.sampled_from(["7m", "7h", "90s", "3d", "1d"]))
def test_other_units_are_floors_of_unix_time(time: int, name: str) -> None:
    """Also 7h starts at a multiple of seven hours since 1970, not of the day."""
    assert parse(name).floor(time) % parse(name).seconds == 0


@pytest.mark.parametrize(
    ("name", "divisor"),
    [
        *(("1m", "1m"), ("7m", "1m"), ("90s", "1s"), ("7h", "1h"), ("12h", "4h"), ("2d", "1d")),
        *(("1w", "1d"), ("1M", "1d"), ("45m", "15m"), ("61s", "1s")),
    ],
)
def test_derived_intervals_come_from_the_longest_divisor(name: str, divisor: str) -> None:
    """The fewer buckets are merged, the better."""
    assert stored_divisor(parse(name)).name == divisor


def test_case_matters_only_for_m() -> None:
    """1H and 1D are taken, 1M is a month."""
    assert parse("1H") == parse("1h")
    assert parse("1M").months == 1
    assert parse("1m").seconds == 60


@pytest.mark.parametrize(
    "text", ["", "m", "0m", "-1m", "1", "1x", "1.5m", "1mm", "11y", "999999d", "１m"]
)
def test_wrong_names_are_refused_with_the_cure(text: str) -> None:
    """The error names the field and the value."""
    with pytest.raises(BadRequest, match="timeframe must be") as caught:
        parse(text, "timeframe")
    assert repr(text) in str(caught.value)


def test_offered_intervals_parse_and_stored_ones_divide_each_other() -> None:
    """Every stored interval can be built from the one before it."""
    assert [parse(name).name for name in OFFERED] == list(OFFERED)
    for shorter, longer in pairwise(STORED):
        assert longer.seconds % shorter.seconds == 0
