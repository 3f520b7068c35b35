from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from appliance.errors import Retryable
from appliance.interval import Interval, parse
from appliance.metrics import Metrics
from appliance.model import Candles, MarketSpec
from appliance.settings import Settings
from appliance.store.store import Store
from appliance.web import binance_query
from tests.binance_world import GOLD_TRADES, STORED, World, on_loop, serving, store
from tests.conftest import NOW, Opened
from tests.oracle import T

API = "/api/v3"
GOLDEN = Path(__file__).parent / "golden"
HOUR_MS = 3_600_000
NOW_MS = NOW * 1000


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    metrics = Metrics()
    opened_store = Store(
        Settings(data_dir=tmp_path_factory.mktemp("binance")), metrics, lambda commit: None
    )
    opened_store.open()
    opened = Opened(opened_store, metrics)
    for spec, trades in STORED:
        store(opened, spec, trades)
    try:
        with serving(opened) as running:
            yield running
    finally:
        opened_store.close()


def golden(name: str) -> Any:
    return msgspec.json.decode((GOLDEN / f"{name}.json").read_bytes())


# -- answers --


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("ping", "/ping"),
        ("time", "/time"),
        ("exchange_info", "/exchangeInfo"),
        ("exchange_info_one", "/exchangeInfo?symbol=gold"),
        ("klines", "/klines?symbol=GOLD&interval=1m"),
        ("klines_month", "/uiKlines?symbol=weth/usdc&interval=1M"),
        ("trades", "/trades?symbol=GOLD"),
        ("historical_trades", "/historicalTrades?symbol=wethusdc&fromId=105906176"),
        ("agg_trades", "/aggTrades?symbol=GOLD&limit=6"),
        ("ticker_24hr", "/ticker/24hr"),
        ("ticker_24hr_one", "/ticker/24hr?symbol=WETHUSDC&type=FULL"),
        ("ticker_24hr_mini", '/ticker/24hr?symbols=["GOLD","PRICELESS"]&type=MINI'),
        ("ticker_window", '/ticker?symbols=["GOLD","TINY","PRICELESS"]&windowSize=3m'),
        ("ticker_window_one", "/ticker?symbol=GOLD"),
        ("ticker_price", "/ticker/price"),
        ("ticker_price_one", "/ticker/price?symbol=TINY"),
        ("book_ticker", '/ticker/bookTicker?symbols=["WETHUSDC500"]'),
        ("avg_price", "/avgPrice?symbol=GOLD"),
        ("depth", "/depth?symbol=GOLD&limit=5"),
    ],
)
def test_answers_are_golden(world: World, name: str, path: str) -> None:
    """The whole body, key by key: numbers are strings, times milliseconds, ids the sequence."""
    answer = world.ask(API + path)
    assert 200 == answer.status
    assert golden(f"binance_{name}") == answer.json


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/fapi/v1/exchangeInfo", {"symbols": []}),
        ("/dapi/v1/exchangeInfo", {"symbols": []}),
        ("/sapi/v1/system/status", {"status": 0, "msg": "normal"}),
    ],
)
def test_clients_that_look_elsewhere_too_are_answered(
    world: World, path: str, body: object
) -> None:
    assert (200, body) == (world.ask(path).status, world.ask(path).json)


def test_the_system_is_in_maintenance_while_it_is_not_ready(world: World) -> None:
    world.status.ready = False
    body = world.ask("/sapi/v1/system/status").json
    world.status.ready = True
    assert {"status": 1, "msg": "system_maintenance"} == body


def test_the_24_hours_are_those_of_every_interface(world: World) -> None:
    """To the digit those of the datafeed, and of the window of a day."""
    market = world.market("GOLD")
    summary = on_loop(world.datafeed.summaries([market]))[market.id]
    day = world.ask(f"{API}/ticker/24hr?symbol=GOLD").json
    window = world.ask(f"{API}/ticker?symbol=GOLD&windowSize=1d").json
    expected = {
        "priceChange": summary.price_change,
        "priceChangePercent": summary.price_change_percent,
        "openPrice": summary.open,
        "highPrice": summary.high,
        "lowPrice": summary.low,
        "lastPrice": summary.price,
        "volume": summary.volume,
        "quoteVolume": summary.quote_volume,
        "count": summary.trades,
    }
    assert expected == {name: float(day[name]) for name in expected}
    assert {name: day[name] for name in window if name in day} == {
        name: value for name, value in window.items() if name in day
    }
    assert {"firstId", "lastId"} == window.keys() - day.keys()


def test_later_markets_of_a_pair_have_an_asset_of_their_own(world: World) -> None:
    """Clients that name markets by their assets would lose one of the two."""
    rows = world.ask(f"{API}/exchangeInfo").json["symbols"]
    assets = {row["symbol"]: (row["baseAsset"], row["quoteAsset"]) for row in rows}
    assert ("WETH", "USDC") == assets["WETHUSDC"]
    assert ("WETH.500", "USDC") == assets["WETHUSDC500"]
    assert ("GOLD", "USD") == assets["GOLD"]
    assert len(assets) == len(set(assets.values()))


@pytest.mark.parametrize("spelling", ["WETHUSDC", "wethusdc", "weth/usdc", "DEX:x", "0x"])
def test_symbols_are_taken_in_any_form(world: World, spelling: str) -> None:
    contract = world.market("WETHUSDC").spec.contract
    text = {"0x": contract, "DEX:x": "APPLIANCE:weth-usdc"}.get(spelling, spelling)
    assert "2501.25" == world.ask(f"{API}/ticker/price", symbol=text).json["price"]


@pytest.mark.parametrize(("status", "count"), [("TRADING", 5), ("HALT", 0), ("BREAK", 0)])
def test_symbols_are_filtered_by_status(world: World, status: str, count: int) -> None:
    rows = world.ask(f"{API}/exchangeInfo?symbolStatus={status}").json["symbols"]
    assert count == len(rows)


# -- klines --


MINUTES = sorted({t.time_us // 60_000_000 * 60_000 for t in GOLD_TRADES if t.price is not None})
"""At which millisecond each minute of GOLD with a price begins."""


@pytest.mark.parametrize(
    ("query", "first", "end"),
    [
        ("", 0, 6),
        ("limit=2", 4, 6),
        ("startTime=0&limit=2", 0, 2),
        ("startTime=0", 0, 6),
        ("startTime=0&limit=99999", 0, 6),
        ("startTime={3}&endTime={5}", 3, 6),  # both ends are in it
        ("startTime={3}&endTime={4}", 3, 5),
        ("startTime={after}&endTime={4}", 4, 5),  # a millisecond after the start of {3}
        ("startTime={after}", 4, 6),
        ("endTime={4}&limit=2", 3, 5),
        ("endTime={3}", 0, 4),
        ("startTime={5}&endTime={3}", 0, 0),
        ("startTime={later}", 0, 0),
        ("endTime=0", 0, 0),
        ("startTime=99999999999999999999", 0, 0),
    ],
)
def test_klines_begin_in_the_range(world: World, query: str, first: int, end: int) -> None:
    """Oldest first from startTime, over holes of days; the newest ones without it."""
    times = {"after": MINUTES[3] + 1, "later": NOW_MS + 60_000}
    asked = query.format(*MINUTES, **times)
    rows = world.ask(f"{API}/klines?symbol=GOLD&interval=1m&{asked}").json
    assert MINUTES[first:end] == [row[0] for row in rows]


INTERVALS = ("1s", "1m", "3m", "7m", "90s", "1h", "7h", "1d", "3d", "1w", "1M", "5M")


@effort(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    trades=st.lists(
        st.builds(
            T,
            time_us=st.integers((NOW - 90 * 86_400) * 10**6, NOW * 10**6)
            | st.integers((NOW - 600) * 10**6, NOW * 10**6),
            price=st.none() | st.floats(1e-9, 1e15),
            size=st.integers(0, 10**32),
            side=st.sampled_from(["buy", "sell", ""]),
        ),
        min_size=1,
        max_size=40,
    ),
    name=st.sampled_from(INTERVALS),
    start=st.none() | st.integers(0, 91 * 86_400_000),
    length=st.none() | st.integers(0, 91 * 86_400_000),
    limit=st.integers(1, 12),
)
def test_klines_are_the_candles_in_every_digit(
    world: World,
    trades: list[T],
    name: str,
    start: int | None,
    length: int | None,
    limit: int,
) -> None:
    """Of all candles of the datafeed those in the range, the oldest or the newest `limit`."""
    spec = MarketSpec(f"R{len(world.datafeed.catalogue.all())}")
    named = [T(**{**vars(t), "trade_id": str(i)}) for i, t in enumerate(trades)]
    market, interval = world.store(spec, named), parse(name)
    candles = on_loop(world.datafeed.candles(market, interval, 0, NOW + 1)).candles
    rows = expected_rows(candles, interval)
    first_ms = NOW_MS - 90 * 86_400_000 - HOUR_MS
    fields: dict[str, Any] = {"symbol": spec.symbol, "interval": name, "limit": limit}
    if start is not None:
        fields["startTime"] = first_ms + start
        rows = [row for row in rows if row[0] >= first_ms + start]
    if length is not None:
        fields["endTime"] = first_ms + (start or 0) + length
        rows = [row for row in rows if row[0] <= fields["endTime"]]
    answer = world.ask(f"{API}/klines", **fields).json
    assert (rows[-limit:] if start is None else rows[:limit]) == numbers(answer)
    assert all("e" not in text for row in answer for text in row if isinstance(text, str))


def expected_rows(candles: Candles, interval: Interval) -> list[list[Any]]:
    """Return klines as numbers, column by column as Binance documents them."""
    return [
        [
            *(candles.time[i] * 1000, candles.open[i], candles.high[i], candles.low[i]),
            *(candles.close[i], candles.volume[i]),
            interval.shift(candles.time[i], 1) * 1000 - 1,
            *(candles.quote_volume[i], candles.trades[i], candles.buy_volume[i]),
            *(candles.buy_quote_volume[i], 0.0),
        ]
        for i in range(len(candles))
    ]


def numbers(rows: list[list[Any]]) -> list[list[Any]]:
    return [[float(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]


def test_a_month_ends_where_the_next_begins(world: World) -> None:
    """A month has no fixed length: its close time is by the calendar."""
    february = 1_738_368_000
    market = world.store(MarketSpec("FEB"), [T(february * 10**6, 1.0, 1, trade_id="f")])
    rows = world.ask(f"{API}/klines?symbol={market.symbol}&interval=1M&startTime=0").json
    assert [[february * 1000, 1_740_787_199_999]] == [[row[0], row[6]] for row in rows]


# -- trades --


@pytest.mark.parametrize(
    ("query", "prices"),
    [
        ("limit=2", ["102.5", "102"]),
        ("startTime=0&limit=2", ["90", "100"]),
        ("startTime={0}&endTime={1}", ["101", "101.5"]),
        ("endTime={0}&limit=2", ["98.25", "101"]),
        ("startTime={2}", []),
        ("fromId={1}000&limit=1", ["101.5"]),
        ("fromId={0}001&limit=1", ["101.5"]),  # from the next one on
        ("fromId=99999999999999999999", []),
        ("fromId=9999999999999999", []),
    ],
)
def test_aggregate_trades_are_found_by_time_and_id(
    world: World, query: str, prices: list[str]
) -> None:
    times = [NOW_MS - 130_000, NOW_MS - 70_000, NOW_MS]
    rows = world.ask(f"{API}/aggTrades?symbol=GOLD&{query.format(*times)}").json
    assert prices == [row["p"] for row in rows]


def test_the_maker_is_absent_where_the_side_is_not_known(world: World) -> None:
    rows = world.ask(f"{API}/trades?symbol=GOLD").json
    makers = {row["price"]: row.get("isBuyerMaker") for row in rows}
    assert (False, True, None) == (makers["104.5"], makers["100"], makers["98.25"])


# -- windows --


@pytest.mark.parametrize(
    ("size", "trades", "first"),
    [
        ("1m", 3, "102.5"),
        ("2m", 4, "101.5"),
        ("59m", 5, "101"),
        ("2h", 5, "101"),
        ("3h", 7, "104.5"),
        ("23h", 7, "104.5"),
        ("1d", 8, "100"),
        ("2d", 8, "100"),
        ("7d", 9, "90"),
    ],
)
def test_windows_count_back_from_the_forming_minute(
    world: World, size: str, trades: int, first: str
) -> None:
    ticker = world.ask(f"{API}/ticker?symbol=GOLD&windowSize={size}").json
    assert (trades, first, "102") == (ticker["count"], ticker["openPrice"], ticker["lastPrice"])


def test_a_silent_window_has_the_last_price_and_nothing_else(world: World) -> None:
    """No change and no volume are made up for it; ids are -1, as Binance writes them."""
    ticker = world.ask(f"{API}/ticker?symbol=TINY&windowSize=7d").json
    assert ("0.00000123", "0", "0") == (
        *(ticker["lastPrice"], ticker["priceChange"], ticker["volume"]),
    )
    assert (-1, -1, 0) == (ticker["firstId"], ticker["lastId"], ticker["count"])
    assert {"openPrice", "highPrice", "lowPrice", "weightedAvgPrice"}.isdisjoint(ticker)


# -- errors --


def test_errors_have_the_numbers_of_binance(world: World) -> None:
    """And say what to change: the field, its value and the cure."""
    expected = golden("binance_errors")
    got = []
    for case in expected:
        answer = world.ask(API + case["path"])
        got.append({"path": case["path"], "status": answer.status, **answer.json})
    assert expected == got


def test_nothing_can_be_ordered(world: World) -> None:
    """Other methods and heads too long to be read are answered in the dialect, too."""
    url = f"{world.address}{API}/klines"
    posted = world.pool.request("POST", url)
    assert (405, -1020) == (posted.status, posted.json()["code"])
    long = world.pool.request("GET", url, fields={"symbols": "x" * 20_000})
    assert long.status in {400, 413, 414, 431}
    assert -1100 == long.json()["code"]


def test_a_failing_store_is_worth_another_try(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise Retryable("the store is closed")

    monkeypatch.setattr(world.datafeed, "summaries", fail)
    answer = world.ask(f"{API}/ticker/price")
    assert (503, -1001, "1") == (answer.status, answer.json["code"], answer.headers["retry-after"])
    assert answer.json["msg"].endswith("the store is closed")


def test_a_fault_of_ours_is_not_explained(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise ValueError("secret")

    monkeypatch.setattr(world.datafeed, "summaries", fail)
    answer = world.ask(f"{API}/ticker/price")
    assert (500, -1000) == (answer.status, answer.json["code"])
    assert "secret" not in answer.json["msg"]


@pytest.mark.parametrize("path", ["/exchangeInfo", "/ticker/24hr", "/ticker/price"])
def test_more_markets_than_fit_must_be_named(
    world: World, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list without some of them would be taken for all."""
    monkeypatch.setattr(binance_query, "LISTED_MAX", 2)
    body = world.ask(API + path).json
    assert -1128 == body["code"]
    assert "name up to" in body["msg"]
    assert 200 == world.ask(f"{API}{path}?symbol=GOLD").status


def test_a_window_is_for_a_hundred_symbols(world: World) -> None:
    listed = msgspec.json.encode(["GOLD"] * 101).decode()
    assert -1130 == world.ask(f"{API}/ticker", symbols=listed).json["code"]
    listed = msgspec.json.encode(["GOLD", "gold"] * 50).decode()
    assert 1 == len(world.ask(f"{API}/ticker", symbols=listed).json)


ROUTES = (
    *("ping", "time", "exchangeInfo", "klines", "uiKlines", "trades", "historicalTrades"),
    *("aggTrades", "depth", "ticker", "ticker/24hr", "ticker/price", "ticker/bookTicker"),
    *("avgPrice", "order"),
)


@effort(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    route=st.sampled_from(ROUTES),
    query=st.dictionaries(
        st.sampled_from(
            "symbol symbols interval startTime endTime limit fromId windowSize type".split()
        ),
        st.one_of(
            st.text(max_size=20),
            st.integers().map(str),
            st.sampled_from(["GOLD", "1s", "7m", "10M", "120M", "7d", "MINI", '["GOLD"]', "[1]"]),
        ),
    ),
)
def test_no_query_breaks_a_route(world: World, route: str, query: dict[str, str]) -> None:
    """Whatever is asked: an answer, or a number with a sentence."""
    answer = world.ask(f"{API}/{route}", **query)
    assert answer.status in {200, 400, 404}
    if answer.status != 200:
        assert answer.json["code"] < -1000
        assert answer.json["msg"]
