"""Windows of minutes, compared with sums in plain Python."""

from decimal import Decimal

from hypothesis import HealthCheck, example, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from appliance.model import Market, MarketSpec
from appliance.statistics.windows import Window, read
from tests.binance_world import on_loop, store
from tests.conftest import NOW, Opened
from tests.oracle import T, exact


def expected(trades: list[T], minutes: int, now: int) -> Window | None:
    """Return the window of the trades, by looking at each of them."""
    start = now - now % 60 - 60 * (minutes - 1)
    inside = sorted(
        (t for t in trades if t.time_us >= start * 10**6), key=lambda t: (t.sequence, t.tie)
    )
    if not inside:
        return None
    prices = [t.price for t in inside if t.price is not None]
    size: Decimal = exact(sum(t.size for t in inside))
    return Window(
        prices[0] if prices else None,
        max(prices, default=None),
        min(prices, default=None),
        prices[-1] if prices else None,
        float(size),
        float(exact(2 * sum(t.size for t in inside))),
        len(inside),
        inside[0].sequence,
        inside[-1].sequence,
    )


@effort(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(drawn=[], minutes=1, shift=3_200)
@given(
    drawn=st.lists(
        st.tuples(
            st.integers(0, 9 * 86_400) | st.integers(0, 7_300),
            st.none() | st.floats(1e-9, 1e9),
            st.integers(0, 10**30),
        ),
        max_size=40,
    ),
    minutes=st.integers(1, 59) | st.integers(1, 23).map(lambda h: 60 * h) | st.just(10_080),
    shift=st.sampled_from([0, 1, 59, 400, 3_150, 3_200]),
)
def test_windows_are_exact(
    opened: Opened, drawn: list[tuple[int, float | None, int]], minutes: int, shift: int
) -> None:
    """Hours and minutes together hold each trade once, wherever in its hour the clock stands."""
    now = NOW + shift
    trades = [
        T((now - s) * 10**6, price, size, trade_id=str(i))
        for i, (s, price, size) in enumerate(drawn)
    ]
    count = len(opened.store.catalogue.all())
    other = store(opened, MarketSpec(f"O{count}"), [T(now * 10**6, 7.0, 1, trade_id="o")])
    markets: list[Market] = [other]
    if trades:
        markets.append(store(opened, MarketSpec(f"W{count}"), trades))
    found = on_loop(read(opened.store.reader, markets, minutes, now))
    assert 7.0 == found[other.id].close
    assert expected(trades, minutes, now) == (found.get(markets[-1].id) if trades else None)
