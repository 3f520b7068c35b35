"""Pages of candles: asked one after the other, they hold each candle of the range once."""

import asyncio
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from appliance.datafeed import History
from appliance.errors import BadRequest
from appliance.interval import Interval, parse
from appliance.model import Candles, Market, MarketId, MarketSpec
from appliance.settings import Settings
from appliance.store.catalogue import Catalogue
from appliance.web import candle_page, heikin_ashi
from appliance.web.candle_page import Page, Question
from appliance.web.params import Params

GOLD = Market(MarketId(1), MarketSpec("GOLD"))
START = 1_700_000_040  # a multiple of 60
Row = tuple[int, float, float, float, float, float]


class Past:
    """Holds candles of one market, and answers as the datafeed does."""

    def __init__(self, rows: Sequence[Row], provisional_from: int | None = None) -> None:
        self.rows = sorted(rows)
        self.provisional_from = provisional_from
        self.asked = 0

    async def candles(
        self,
        _: Market,
        interval: Interval,
        from_time: int | None,
        to_time: int,
        countback: int = 0,
        limit: int = 10_000,
        older: bool = False,
    ) -> History:
        self.asked += 1
        before = [row for row in self.rows if row[0] < to_time]
        inside = [row for row in before if from_time is not None and row[0] >= from_time]
        count = min(limit, max(len(inside), countback))
        page, rest = (before[-count:], before[:-count]) if count else ([], before)
        known = rest[-1][0] if rest and (older or not page) else None
        columns = map(list, zip(*page, strict=True))
        return History(Candles(*columns), known, self.provisional_from)


def rows(minutes: Sequence[int]) -> list[Row]:
    return [(START + 60 * m, m + 1.0, m + 3.0, m + 0.5, m + 2.0, 0.25) for m in sorted(minutes)]


def ask(past: Past, **changes: object) -> Page:
    values = {"from_time": None, "to_time": None, "limit": 500, "fill": "none", "type": "candles"}
    asked = Question(GOLD, parse("1m"), **(values | changes))  # type: ignore[arg-type] # any field
    return asyncio.run(candle_page.read(past, asked))  # type: ignore[arg-type] # only candles()


def paged(past: Past, **changes: object) -> list[tuple[int, ...]]:
    """Return the rows of all pages, the oldest first, having asked on as the answers say."""
    found: list[tuple[int, ...]] = []
    for _ in range(3_000):
        page = ask(past, **changes)
        columns = (getattr(page.candles, name) for name in candle_page.SHOWN)
        found = [*zip(*columns, strict=True), *found]
        meta = page.meta()
        assert meta["has_more"] == (meta["next_to"] is not None)
        if not meta["has_more"]:
            return found
        assert 0 < meta["count"] <= page.question.limit
        changes["to_time"] = meta["next_to"]
    raise AssertionError("it never ends")


MINUTES = st.sets(
    st.integers(0, 30) | st.integers(200, 230) | st.integers(2_000, 2_003), max_size=40
)
BOUND = st.none() | st.integers(-100, 2_100).map(lambda m: START + 20 * m)


@effort(max_examples=300, deadline=None)
@given(MINUTES, st.integers(1, 60), BOUND, BOUND)
def test_pages_hold_every_candle_once(
    minutes: set[int], limit: int, from_time: int | None, to_time: int | None
) -> None:
    """Over holes of any length, whatever the range and the size of a page."""
    past = Past(rows(list(minutes)))
    low, high = from_time or 0, to_time or 10**11
    expected = [row for row in past.rows if low <= row[0] < high]
    assert expected == paged(past, limit=limit, from_time=from_time, to_time=to_time)


@effort(max_examples=300, deadline=None)
@given(MINUTES, st.integers(5, 400), BOUND, BOUND)
def test_filled_pages_hold_every_bucket_once(
    minutes: set[int], limit: int, from_time: int | None, to_time: int | None
) -> None:
    """From the first candle or `from` to the last or to before `to`: flat where there is none."""
    past = Past(rows(list(minutes)))
    by_time = {row[0]: row for row in past.rows}
    low, high = from_time or 0, to_time or max(by_time, default=0) + 1
    expected: list[Row] = []
    close = None
    for start in range(min(by_time, default=high), high, 60):
        close = by_time[start][4] if start in by_time else close
        assert close is not None
        flat = (start, close, close, close, close, 0.0)
        expected += [by_time.get(start, flat)] if start >= low else []
    if not [t for t in by_time if low <= t < high] and to_time is None:
        expected = []  # nothing is in the range, and it has no end
    asked = {"limit": limit, "from_time": from_time, "to_time": to_time, "fill": "previous"}
    assert expected == paged(past, **asked)


def test_nothing_is_filled_beyond_now() -> None:
    """Though `to` is in the future; the forming bucket is filled."""
    now = int(time.time())
    minute = now - now % 60
    past = Past([(minute - 180, 1.0, 1.0, 1.0, 1.0, 1.0)])
    found = paged(past, fill="previous", to_time=now + 90_000)
    assert [minute - 180 + 60 * i for i in range(4)] == [row[0] for row in found][:4]
    assert len(found) <= 5  # a minute may have begun meanwhile


def test_filling_a_hole_of_years_is_bounded() -> None:
    """By the page's size, and by two questions."""
    past = Past([(START - 10**9, 1.0, 1.0, 1.0, 1.0, 1.0), *rows([0])])
    page = ask(past, fill="previous", limit=100, from_time=5)
    assert ([START - 60 * i for i in range(99, -1, -1)], True) == (page.candles.time, page.has_more)
    assert past.asked <= 2


OHLC = st.tuples(*[st.floats(1e-9, 1e9)] * 4).map(sorted)


@effort(max_examples=60, deadline=None)
@given(
    st.lists(OHLC, min_size=1, max_size=20), st.integers(1, 400), st.integers(1, 40), st.randoms()
)
def test_averages_do_not_depend_on_the_page(
    shapes: list[list[float]], count: int, limit: int, order: object
) -> None:
    """And are those of the recursion from the first candle, as long as a double can tell."""
    series: list[Row] = []
    for i in range(count):
        low, first, last, high = shapes[i % len(shapes)]
        series.append((START + 60 * (i + i // 7 * 3), first, high, low, last, 1.0))
    past = Past(series)
    whole = paged(past, type="heikin-ashi", limit=1_000)
    assert whole == paged(past, type="heikin-ashi", limit=limit)
    assert whole[-limit:] == paged(past, type="heikin-ashi", from_time=series[-limit:][0][0])
    first = close = 0.0
    for number, ((_, o, h, low, c, _), row) in enumerate(zip(series, whole, strict=True)):
        first = (first + close) / 2 if number else (o + c) / 2
        close = (o + h + low + c) / 4
        averages = (first, max(h, first, close), min(low, first, close), close)
        assert averages == pytest.approx(row[1:5], rel=1e-9, abs=0)
        if number <= heikin_ashi.REACH:
            assert averages == row[1:5]


def test_averages_of_averages_are_refused() -> None:
    """Bars that nobody traded have none."""
    asked = Params({"symbol": "GOLD", "type": "heikin-ashi", "fill": "previous"})
    with pytest.raises(BadRequest, match="fill must be none with type=heikin-ashi"):
        candle_page.question(asked, Catalogue([GOLD]), Settings())


def test_csv_has_the_digits_of_the_json() -> None:
    """A line for each candle; a column more where one of them is not final."""
    past = Past([(START, 1e-9, 1.5, 1e-12, 123456789.125, 0.1)])
    assert (
        b"time,open,high,low,close,volume\r\n1700000040,1e-9,1.5,1e-12,123456789.125,0.1\r\n"
        == ask(past).csv()
    )
    past.provisional_from = START
    assert b"volume,final\r\n" in ask(past).csv()
    assert ask(past).csv().endswith(b",0.1,false\r\n")
    assert b"time,open,high,low,close,volume\r\n" == ask(Past([])).csv()
