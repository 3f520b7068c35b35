"""What the store answers, compared with candles made in plain Python."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.datafeed import Datafeed
from appliance.heads import LATE_S, Heads
from appliance.interval import STORED, Interval, parse
from appliance.model import Attached, Mark, Market, MarketSpec, trade_table
from tests.conftest import NOW, Opened
from tests.oracle import C, T, candles, shuffled, table

SPEC = MarketSpec("GOLD")
CHAIN = MarketSpec("POOL", chain_id=1, contract="0x" + "ab" * 20, order="chain")
HOUR = NOW - NOW % 3600


async def stored(
    opened: Opened, trades: list[T], spec: MarketSpec = SPEC, parts: int = 1
) -> Datafeed:
    """Store the trades in some parts and return the datafeed."""
    ingest = opened.ingest()
    size = -(-len(trades) // parts)
    for start in range(0, len(trades), size):
        await ingest.submit(table(trades[start : start + size]), [spec], "test")
    return opened.datafeed()


async def read(datafeed: Datafeed, market: Market, interval: Interval) -> list[C]:
    """Return every candle of the market."""
    found = (await datafeed.candles(market, interval, 0, 4_000_000_000)).candles
    return [
        C(t, o, h, low, c, Decimal(0), Decimal(0), n)
        for t, o, h, low, c, n in zip(
            found.time, found.open, found.high, found.low, found.close, found.trades, strict=True
        )
    ]


def without_volumes(rows: list[C]) -> list[C]:
    """Return the candles without volumes, which `exact_volumes` compares."""
    return [
        C(r.time, r.open, r.high, r.low, r.close, Decimal(0), Decimal(0), r.trades) for r in rows
    ]


def exact_volumes(
    opened: Opened, market: Market, interval: Interval
) -> dict[int, tuple[Decimal, Decimal]]:
    """Return base and buy volumes of a stored interval, exactly."""
    rows = opened.store.writer.call(
        lambda client: (
            client.query(
                "SELECT toUnixTimestamp(bucket), sum(base_volume), sum(buy_volume) "
                "FROM candles WHERE market_id = {market:UInt32} "
                "AND interval = {interval:UInt32} GROUP BY bucket",
                parameters={"market": market.id, "interval": interval.seconds},
            ).result_rows
        )
    ).result()
    return {row[0]: (row[1], row[2]) for row in rows}


TRADES = st.lists(
    st.builds(
        T,
        time_us=st.integers((NOW - 40 * 86_400) * 10**6, NOW * 10**6)
        | st.integers(NOW * 10**6 - 5_000_000, NOW * 10**6),
        price=st.floats(1e-9, 1e9),
        size=st.integers(1, 10**30),
        side=st.sampled_from(["buy", "sell", ""]),
        kind=st.sampled_from(["trade", "liquidation"]),
    ),
    min_size=1,
    max_size=60,
)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(TRADES, st.integers(0, 99), st.integers(1, 4))
def test_any_order_gives_the_candles_of_the_trades(
    opened: Opened, drawn: list[T], seed: int, parts: int
) -> None:
    """Every interval, stored or derived, equals the oracle, whatever the order of arrival."""
    trades = [T(**{**vars(t), "trade_id": f"{seed}-{i}"}) for i, t in enumerate(drawn)]
    spec = MarketSpec(f"M{len(opened.store.catalogue.all())}")

    async def check() -> None:
        datafeed = await stored(opened, shuffled(trades, seed), spec, parts)
        market = datafeed.catalogue.resolve(spec.symbol)
        for interval in (*STORED, *map(parse, ["7m", "90s", "7h", "3d", "1w", "1M", "5M"])):
            expected = candles(trades, interval)
            assert without_volumes(expected) == await read(datafeed, market, interval)
            if interval in STORED:
                volumes = {c.time: (c.volume, c.buy_volume) for c in expected}
                assert volumes == exact_volumes(opened, market, interval)

    asyncio.run(check())


async def test_two_trades_in_one_block_open_and_close_by_log_index(opened: Opened) -> None:
    """Arrival does not matter: the lower log index opens, the higher one closes."""
    second = HOUR * 10**6
    trades = [T(second, p, 10**18, block=9, log_index=i) for i, p in ((7, 3.0), (2, 1.0), (5, 2.0))]
    datafeed = await stored(opened, trades, CHAIN)
    found = (
        await datafeed.candles(datafeed.catalogue.resolve("POOL"), parse("1s"), 0, NOW)
    ).candles
    assert ([1.0], [3.0], [3.0], [1.0]) == (found.open, found.close, found.high, found.low)


async def test_bucket_without_price_is_flat_at_the_last_one(opened: Opened) -> None:
    """Volume alone draws a flat bar; before any price it draws nothing."""
    trades = [
        T(HOUR * 10**6, None, 10**18, trade_id="a"),
        T((HOUR + 60) * 10**6, 5.0, 10**18, trade_id="b"),
        T((HOUR + 120) * 10**6, None, 3 * 10**18, trade_id="c"),
    ]
    datafeed = await stored(opened, trades)
    market = datafeed.catalogue.resolve("GOLD")
    found = (await datafeed.candles(market, parse("1m"), 0, NOW)).candles
    assert [HOUR + 60, HOUR + 120] == found.time
    assert (5.0, 5.0, 3.0) == (found.open[1], found.close[1], found.volume[1])
    only = (await datafeed.candles(market, parse("1m"), HOUR + 120, NOW)).candles
    assert ([5.0], [3.0]) == (only.low, only.volume)


async def holes(opened: Opened) -> tuple[Datafeed, Market]:
    """Store one trade in minutes 0, 1, 2, then nothing for ten days, then two minutes."""
    minutes = [0, 1, 2, 14_400, 14_401]
    start = HOUR - 14_401 * 60
    trades = [T((start + m * 60) * 10**6, float(m + 1), 10**18, trade_id=str(m)) for m in minutes]
    datafeed = await stored(opened, trades)
    return datafeed, datafeed.catalogue.resolve("GOLD")


@pytest.mark.parametrize(
    ("from_m", "to_m", "countback", "expected"),
    [
        (14_400, 14_402, 0, [14_400, 14_401]),  # from inclusive, to exclusive
        (14_401, 14_402, 0, [14_401]),
        (14_400, 14_401, 0, [14_400]),
        (14_401, 14_402, 2, [14_400, 14_401]),
        (14_401, 14_402, 4, [1, 2, 14_400, 14_401]),  # over the hole
        (14_401, 14_402, 99, [0, 1, 2, 14_400, 14_401]),
        (0, 14_402, 2, [0, 1, 2, 14_400, 14_401]),  # all of the range, more than asked
        (20_000, 30_000, 2, [14_400, 14_401]),  # a window in the future
        (3, 14_400, 2, [1, 2]),  # an empty window in the hole
        (-9_000_000_000, 2, 0, [0, 1]),  # negative from is legal
        (5, 5, 1, [2]),
    ],
)
async def test_history_holds_the_range_and_at_least_countback(
    opened: Opened, from_m: int, to_m: int, countback: int, expected: list[int]
) -> None:
    """The union rule of the datafeed protocol, over holes."""
    datafeed, market = await holes(opened)
    start = HOUR - 14_401 * 60
    history = await datafeed.candles(
        market, parse("1m"), start + from_m * 60, start + to_m * 60, countback
    )
    assert expected == [(t - start) // 60 for t in history.candles.time]


async def test_older_candle_is_named_when_the_range_is_empty(opened: Opened) -> None:
    """The start of the newest older candle, or None when nothing is older."""
    datafeed, market = await holes(opened)
    start = HOUR - 14_401 * 60
    empty = await datafeed.candles(market, parse("1m"), start + 600, start + 1200)
    assert (0, start + 120) == (len(empty.candles), empty.older)
    before = await datafeed.candles(market, parse("1m"), start - 600, start)
    assert (0, None) == (len(before.candles), before.older)
    some = await datafeed.candles(market, parse("1m"), start + 60, start + 120, older=True)
    assert ([start + 60], start) == (some.candles.time, some.older)


async def test_limit_keeps_the_newest(opened: Opened) -> None:
    """Truncation leaves no hole before `to`, and says that there is more."""
    datafeed, market = await holes(opened)
    history = await datafeed.candles(market, parse("1m"), 0, NOW, limit=2)
    assert [HOUR - 60, HOUR] == history.candles.time
    assert HOUR - 14_399 * 60 == history.older


async def test_summary_covers_exactly_1440_minutes(opened: Opened) -> None:
    """A trade one minute older is outside; open is the first trade inside."""
    edge = (NOW // 60 - 1_439) * 60
    trades = [
        T((edge - 1) * 10**6, 1.0, 10**18, trade_id="outside"),
        T(edge * 10**6, 2.0, 10**18, trade_id="edge"),
        T((NOW - 5) * 10**6, 3.0, 5 * 10**17, trade_id="now"),
    ]
    datafeed = await stored(opened, trades)
    market = datafeed.catalogue.resolve("GOLD")
    summary = (await datafeed.summaries([market]))[market.id]
    assert (3.0, 1.0, 50.0, 2.0, 3.0, 2.0) == (
        *(summary.price, summary.price_change, summary.price_change_percent),
        *(summary.open, summary.high, summary.low),
    )
    assert (1.5, 2) == (summary.volume, summary.trades)


async def test_market_that_traded_last_week_keeps_its_price(opened: Opened) -> None:
    """No change and no volume are invented for it."""
    datafeed = await stored(opened, [T((NOW - 8 * 86_400) * 10**6, 7.0, 10**18, trade_id="x")])
    market = datafeed.catalogue.resolve("GOLD")
    summary = (await datafeed.summaries([market]))[market.id]
    assert (7.0, 0.0, None, 0) == (summary.price, summary.volume, summary.high, summary.trades)


async def test_summaries_are_read_again_after_a_retraction(opened: Opened) -> None:
    """At once, not when they are a second old; also when it came while they were read."""
    blocks = [T((NOW - 200 + 60 * b) * 10**6, float(b), 10**18, block=b) for b in (1, 2, 3)]
    datafeed = await stored(opened, blocks, CHAIN)
    market = datafeed.catalogue.resolve("POOL")
    prices = [(await datafeed.summaries([market]))[market.id].price]
    for block in (3, 2):
        await asyncio.wrap_future(opened.store.writer.retract(CHAIN.chain_id, block))
        if block == 2:
            datafeed._summaries.forget()
            reading = asyncio.create_task(datafeed.summaries([market]))
            await asyncio.sleep(0)
            datafeed.on_commit(opened.commits[-1])
            await reading
        prices.append((await datafeed.summaries([market]))[market.id].price)
        datafeed.on_commit(opened.commits[-1])
        prices.append((await datafeed.summaries([market]))[market.id].price)
    assert [3.0, 3.0, 2.0, 1.0, 1.0] == prices


def with_marks(prices: list[float | None], first: int, kind: str = "trade") -> pa.Table:
    """Return trades of one market, a minute apart, the last one at NOW, with these mark prices."""
    count = len(prices)
    times = [(NOW - 60 * (count - 1 - i)) * 10**6 for i in range(count)]
    return trade_table(
        count,
        market_id=[0] * count,
        time=pa.array(times, pa.timestamp("us", "UTC")),
        sequence=[first + i for i in range(count)],
        price=[1.0] * count,
        mark_price=prices,
        kind=[kind] * count,
        trade_id=[f"{first}-{i}" for i in range(count)],
    )


def rates(datafeed: Datafeed) -> dict[str, tuple[float | None, float | None]]:
    """Return mark price and funding rate of every market."""
    found = asyncio.run(datafeed.summaries(datafeed.catalogue.all()))
    symbols = {int(market.id): market.symbol for market in datafeed.catalogue.all()}
    return {symbols[i]: (s.mark_price, s.funding_rate) for i, s in found.items()}


def told(market: int, second: int, rate: float, kind: str = "funding") -> Mark:
    return Mark(market, (NOW + second) * 10**6, NOW + second, kind, rate)


def test_mark_price_and_funding_are_the_newest_that_were_told(opened: Opened) -> None:
    """From one query for all markets; what was never told is not known."""
    specs = [MarketSpec(name) for name in ("BOTH", "MARK", "RATE", "NONE")]

    async def store() -> None:
        ingest = opened.ingest()
        funding = (told(0, -90 * 86_400, 0.5), told(0, -60, -0.25), told(0, -3_600, 0.75))
        await ingest.submit(
            *(with_marks([3.0, 4.0, None], 1), specs[:1], "test"), attached=Attached(funding)
        )
        await ingest.submit(with_marks([5.0, 6.0], 1, "mark"), specs[1:2], "test")
        stale = (told(0, -400 * 86_400, 0.125), told(0, -5, 9.0, "note"))
        await ingest.submit(*(with_marks([None], 1), specs[2:3], "test"), attached=Attached(stale))
        await ingest.submit(with_marks([None], 1), specs[3:], "test")

    asyncio.run(store())
    expected = {"BOTH": (4.0, -0.25), "MARK": (6.0, None), "RATE": (None, 0.125)}
    assert expected | {"NONE": (None, None)} == rates(opened.datafeed())


def test_a_market_that_rests_keeps_its_mark_price(opened: Opened) -> None:
    """It is looked for in the hour of the market's last trade and the one before."""
    old = with_marks([7.0, *[None] * 60], 1)
    times = pa.array([t.as_py() - timedelta(days=9) for t in old["time"]], old["time"].type)

    async def store() -> None:
        table = old.set_column(1, old.schema.field(1), times)
        await opened.ingest().submit(table, [SPEC], "test")

    asyncio.run(store())
    assert {"GOLD": (7.0, None)} == rates(opened.datafeed())


async def test_candles_say_from_where_on_a_reorg_may_change_them(opened: Opened) -> None:
    """In every interval; and only settled ranges may be kept by shared caches."""
    blocks = [T((HOUR + 60 * b) * 10**6, 1.0, 10**18, block=b) for b in range(1, 6)]
    await stored(opened, blocks, CHAIN)
    heads, store = Heads(), opened.store
    datafeed = Datafeed(
        *(store.reader, store.writer, store.catalogue, opened.metrics, heads), clock=lambda: NOW
    )
    market = datafeed.catalogue.resolve("POOL")

    async def ask(name: str, to: int = NOW) -> tuple[int | None, bool]:
        history = await datafeed.candles(market, parse(name), HOUR, to)
        return history.provisional_from, history.is_settled

    assert (None, False) == await ask("1m")
    assert (None, True) == await ask("1m", NOW - LATE_S - 60)
    heads.finalized(CHAIN.chain_id, 3, HOUR + 200)
    assert (HOUR + 180, False) == await ask("1m")  # its minute is not over
    assert (HOUR + 120, False) == await ask("2m")
    assert (HOUR, False) == await ask("1h")
    assert (None, True) == await ask("1m", HOUR + 180)
    heads.finalized(CHAIN.chain_id, 5, HOUR + 360)
    assert (None, False) == await ask("1m")


async def test_newest_trades_come_first_and_marks_are_left_out(opened: Opened) -> None:
    """Paging by sequence continues where the last page ended."""
    trades = [T((HOUR + i) * 10**6, 1.0 + i, 10**18, block=10 + i, log_index=1) for i in range(5)]
    mark = T((HOUR + 9) * 10**6, 9.0, 0, block=99, log_index=1, kind="mark")
    datafeed = await stored(opened, [*trades, mark], CHAIN)
    market = datafeed.catalogue.resolve("POOL")
    page = await datafeed.trades(market, 2)
    assert [5.0, 4.0] == [t.price for t in page]
    assert [3.0, 2.0] == [t.price for t in await datafeed.trades(market, 2, page[-1].sequence)]


async def test_snapshot_names_the_last_commit_in_it(opened: Opened) -> None:
    """Its candles hold that commit and all before it, none after."""
    datafeed = await stored(opened, [T(HOUR * 10**6, 1.0, 10**18, trade_id="a")])
    market = datafeed.catalogue.resolve("GOLD")
    snapshot = await datafeed.snapshot(market, parse("1w"))
    assert opened.commits[-1].number == snapshot.commit
    assert [1.0] == snapshot.candles.volume
    between = await datafeed._snapshot_between_commits(market, parse("1w"), 2)
    assert snapshot == between
