"""Marks on bars."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.interval import OFFERED, parse
from appliance.marks import ChartMark
from appliance.web.marks import PER_BAR, by_bar, figure, sentence, timescale_marks, udf_marks
from tests.web_server import GOLD, WETH

SECOND = 10**6


def liquidation(time: int, value: float, side: str = "buy") -> ChartMark:
    number = int(value * 1000) + time
    return ChartMark(f"t{number}", "liquidation", time * SECOND, number, value, 1.0, 1.0, side)


def funding(time: int, rate: float) -> ChartMark:
    return ChartMark(f"f{time}", "funding", time * SECOND, time, rate)


MARKS = st.lists(
    st.builds(
        ChartMark,
        id=st.uuids().map(str),
        kind=st.sampled_from(["liquidation", "large_trade", "funding", "note"]),
        time_us=st.integers(0, 10**9 * SECOND),
        sequence=st.integers(0, 10**9),
        value=st.none() | st.floats(0, 1e12),
        price=st.none() | st.floats(1e-12, 1e12),
        side=st.sampled_from(["", "buy", "sell"]),
        label=st.text(max_size=5),
    ),
    max_size=60,
)


@given(MARKS, st.sampled_from(OFFERED), st.data())
def test_marks_stand_on_bars_few_on_each_and_know_no_repeats(
    marks: list[ChartMark], name: str, data: st.DataObject
) -> None:
    """Whatever happened, and whichever bars there are: what a widget can draw."""
    interval = parse(name)
    marks.sort(key=lambda mark: (mark.time_us, mark.sequence, mark.id))
    times = sorted({interval.floor(mark.time) for mark in marks})
    starts = data.draw(st.lists(st.sampled_from(times), unique=True)) if times else []
    bars = by_bar(marks, sorted(starts))
    for market in (GOLD, WETH):
        for rows in (udf_marks(bars, market), timescale_marks(bars, market)):
            assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
            assert {row["time"] for row in rows} <= set(starts)
            assert len({row["id"] for row in rows}) == len(rows)
            for start in starts:
                assert sum(row["time"] == start for row in rows) <= PER_BAR
        for row in timescale_marks(bars, market):
            assert 1 <= len(row["tooltip"]) <= PER_BAR
            assert all(isinstance(line, str) for line in row["tooltip"])


def test_of_too_many_the_largest_stay_and_the_last_funding() -> None:
    """A bar has room for ten; they stay in the order in which they happened."""
    marks = [liquidation(60 + i, float(i % 12)) for i in range(24)]
    told = [*marks, funding(85, 1.0), funding(86, 2.0)]
    [(start, bar)] = by_bar(told, [60]).items()
    assert (60, PER_BAR) == (start, len(bar))
    assert [7, 8, 9, 10, 11, 8, 9, 10, 11] == [mark.value for mark in bar[:-1]]
    assert (funding(86, 2.0)) == bar[-1]


def test_what_happened_without_a_bar_counts_to_the_one_before() -> None:
    """Before the first bar there is none."""
    marks = [funding(59, 0.5), funding(150, 1.0)]
    assert {60: [marks[1]]} == by_bar(marks, [60, 180])
    assert {} == by_bar(marks, [])


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        (liquidation(1, 96_412.5, "sell"), "Long liquidated: 96,412.5 USD at 1"),
        (liquidation(1, 5.0), "Short liquidated: 5 USD at 1"),
        (liquidation(1, 5.0, ""), "Liquidated: 5 USD at 1"),
        (
            ChartMark("t1", "large_trade", 1, 1, 7.5e6, None, 3.0, "sell"),
            "Large sell: 7,500,000 USD",
        ),
        (ChartMark("t1", "large_trade", 1, 1, 1.0, 2.0), "Large trade: 1 USD at 2"),
        (funding(1, 0.000125), "Funding +0.0125 %"),
        (funding(1, -1e-9), "Funding -0.0000001 %"),
        (ChartMark("n1", "note", 1, 1, None, label="listed"), "listed"),
    ],
)
def test_marks_say_what_happened(mark: ChartMark, words: str) -> None:
    assert words == sentence(mark, GOLD)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (2_431.18, "2,431.18"),
        (12_345_678.9, "12,345,679"),
        (0.00000123, "0.00000123"),
        (1e-30, "0"),
        (1e20, "100,000,000,000,000,000,000"),
        (100.0, "100"),
        (-0.5, "-0.5"),
    ],
)
def test_figures_have_six_digits_and_no_exponent(value: float, text: str) -> None:
    assert text == figure(value)
