"""Whoever asks on from the end of a page gets everything once."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from appliance.datafeed import TIME_MAX, TradeRow
from appliance.interval import parse
from appliance.model import Candles, Market, MarketSpec
from appliance.pages import PAGE_MAX, Pages
from tests.binance_world import on_loop, store
from tests.conftest import NOW, Opened
from tests.oracle import T, candles

EVER_US = TIME_MAX * 10**6
CHAIN = MarketSpec("POOL", chain_id=1, contract="0x" + "ab" * 20, order="chain")


def pages(opened: Opened) -> Pages:
    return Pages(opened.store.reader, opened.datafeed())


def all_candles(opened: Opened, market: Market, name: str, limit: int) -> list[int]:
    """Return the starts that a client gets that asks on one second after the last one."""
    starts: list[int] = []
    start = 0
    while True:
        page: Candles = on_loop(pages(opened).candles(market, parse(name), start, NOW + 1, limit))
        starts += page.time
        if len(page) < limit:  # which is what clients take for the end
            return starts
        start = page.time[-1] + 1


@effort(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    offsets=st.lists(
        st.integers(0, 4_000 * 86_400) | st.integers(0, 300), min_size=1, max_size=40, unique=True
    ),
    priceless=st.integers(0, 5),
    name=st.sampled_from(["1s", "1m", "7m", "90s", "1h", "7h", "1d", "1w", "1M", "5M"]),
    limit=st.integers(1, 9),
)
def test_candles_are_paged_over_any_hole(
    opened: Opened, offsets: list[int], priceless: int, name: str, limit: int
) -> None:
    """From 1970 on; those before the first price are none, and do not shorten a page."""
    spec = MarketSpec(f"M{len(opened.store.catalogue.all())}")
    times = sorted(NOW - offset for offset in offsets)
    trades = [
        T(time * 10**6, None if i < priceless else 1.0 + i, 10**18, trade_id=str(i))
        for i, time in enumerate(times)
    ]
    market = store(opened, spec, trades)
    expected = [c.time for c in candles(trades, parse(name))]
    first = next((c.time for c in candles(trades, parse(name)) if c.open is not None), NOW + 1)
    assert [t for t in expected if t >= first] == all_candles(opened, market, name, limit)


def test_a_page_of_candles_ends_before_its_end(opened: Opened) -> None:
    """Also where the hole in it reaches beyond the end, and where nothing is asked."""
    trades = [T((NOW - s) * 10**6, 1.0, 1, trade_id=str(s)) for s in (900_000, 899_000, 60, 0)]
    market = store(opened, MarketSpec("GOLD"), trades)

    def starts(start: int, end: int, limit: int) -> list[int]:
        page = on_loop(pages(opened).candles(market, parse("1s"), NOW + start, NOW + end, limit))
        return [NOW - time for time in page.time]

    assert [900_000, 899_000] == starts(-900_000, -60, 10)
    assert [899_000, 60] == starts(-899_500, -59, 3)
    assert [899_000, 60] == starts(-899_000, 1, 2)
    assert [] == starts(-800_000, -60, 10)
    assert [] == starts(0, 0, 10)
    assert [] == starts(10, -10, 10)


def prices(rows: list[TradeRow]) -> list[float | None]:
    return [row.price for row in rows]


def in_runs(spec: MarketSpec, runs: list[int]) -> list[T]:
    """Return trades a second apart, of which each run shares one sequence where it may."""
    is_chain = spec.order == "chain"
    trades: list[T] = []
    for second, run in enumerate(runs):
        for i in range(run):
            place = (1_000 + second, i) if is_chain else (0, 0)
            time_us, price = (NOW - 100 + second) * 10**6, 1.0 + len(trades)
            trades.append(T(time_us, price, 10**18, "buy", f"{second}-{i}", *place))
    return sorted(trades, key=lambda t: (t.sequence, t.tie))


def by_next_number(rows: list[TradeRow]) -> tuple[int, list[TradeRow]]:
    return rows[-1].sequence + 1, rows


def by_last_number(rows: list[TradeRow]) -> tuple[int, list[TradeRow]]:
    """Ask for the last one again, and leave it out: python-binance does."""
    return rows[-1].sequence, rows[1:]


@pytest.mark.parametrize("spec", [MarketSpec("TIMED"), CHAIN], ids=["time", "chain"])
@pytest.mark.parametrize("ask_on", [by_next_number, by_last_number])
@pytest.mark.parametrize("limit", [2, 3, 5])
def test_trades_are_paged_by_id_although_ids_may_repeat(
    opened: Opened,
    spec: MarketSpec,
    ask_on: Callable[[list[TradeRow]], tuple[int, list[TradeRow]]],
    limit: int,
) -> None:
    trades = in_runs(spec, [1, 1, 3, 1, 6, 2, 1, 4])
    market = store(opened, spec, trades)
    got = on_loop(pages(opened).trades_from(market, 0, EVER_US, 0, limit))
    last = got[-1].sequence
    for _ in trades:
        sequence = last + (ask_on is by_next_number)
        rows = on_loop(pages(opened).trades_from(market, 0, EVER_US, sequence, limit))
        fresh = ask_on(rows)[1] if rows else []
        if not fresh:
            break
        got += fresh
        last = fresh[-1].sequence
    assert [t.price for t in trades] == prices(got)


def test_a_run_longer_than_any_page_is_cut(opened: Opened) -> None:
    """The answer stays bounded."""
    trades = in_runs(MarketSpec("GOLD"), [1, PAGE_MAX + 5, 1])
    market = store(opened, MarketSpec("GOLD"), trades)
    rows = on_loop(pages(opened).trades_from(market, 0, EVER_US, trades[1].sequence - 1, 10))
    assert [t.price for t in trades[1 : PAGE_MAX + 1]] == prices(rows)


def test_trades_are_found_between_times(opened: Opened) -> None:
    """From inclusive, to exclusive, oldest first; marks and trades without a price left out."""
    trades = [
        T((NOW - 10 + i) * 10**6, None if i == 3 else float(i + 1), 1, block=9 + i)
        for i in range(8)
    ]
    mark = T((NOW - 6) * 10**6, 99.0, 0, block=50, kind="mark")
    market = store(opened, CHAIN, [*trades, mark])
    span = (NOW - 9) * 10**6, (NOW - 4) * 10**6
    assert [2.0, 3.0, 5.0, 6.0] == prices(on_loop(pages(opened).trades_from(market, *span, 0, 9)))
    assert [2.0, 3.0] == prices(on_loop(pages(opened).trades_from(market, *span, 0, 2)))
    assert [5.0, 6.0] == prices(on_loop(pages(opened).trades_until(market, span[1], 2)))
    assert [] == on_loop(pages(opened).trades_until(market, -5, 2))
    assert [] == on_loop(pages(opened).trades_from(market, 0, EVER_US, 1 << 70, 2))
