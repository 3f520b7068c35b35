import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from appliance.datafeed import TradeRow
from appliance.model import Market
from appliance.store.catalogue import Catalogue
from appliance.web.lightweight import trades_body
from appliance.web.params import Params
from tests.web_server import GOLD, MINUTE_0, Web, serving

API = "/api/lightweight"
GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with serving() as running:
        yield running


def golden(name: str) -> Any:
    return msgspec.json.decode((GOLDEN / f"{name}.json").read_bytes())


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("lightweight_ohlcv", "/ohlcv?symbol=GOLD"),
        ("lightweight_columns", "/ohlcv?symbol=gold&format=columns&limit=2"),
        ("lightweight_markets", "/markets"),
        ("lightweight_market", "/markets/WETH%2FUSDC"),
        ("lightweight_trades", "/trades?symbol=GOLD"),
        ("lightweight_heikin_ashi", "/ohlcv?symbol=GOLD&type=heikin-ashi&limit=2"),
        ("lightweight_marks", f"/marks?symbol=GOLD&from={MINUTE_0}&to={MINUTE_0 + 360}"),
    ],
)
def test_answers_are_golden(web: Web, name: str, path: str) -> None:
    """The whole body, key by key: numbers that are not known are absent."""
    answer = web.ask(API + path)
    assert answer.status == 200
    assert golden(name) == answer.json


@pytest.mark.parametrize(
    ("path", "field", "message"),
    [
        ("/ohlcv", "symbol", "symbol must be given"),
        ("/ohlcv?symbol=GOLD&from=abc", "from", "from must be unix seconds, was 'abc'"),
        ("/ohlcv?symbol=GOLD&from=9&to=3", "from", "from must be at most to, was 9 with to 3"),
        (
            "/ohlcv?symbol=GOLD&timeframe=x",
            "timeframe",
            "timeframe must be a number and one of s m h d w M, like 1m or 4h, was 'x'",
        ),
        (
            "/ohlcv?symbol=GOLD&limit=0",
            "limit",
            "limit must be a whole number from 1 to 10,000, was '0'",
        ),
        ("/ohlcv?symbol=GOLD&fill=x", "fill", "fill must be one of none, previous, was 'x'"),
        (
            "/ohlcv?symbol=GOLD&type=renko",
            "type",
            "type must be one of candles, heikin-ashi, was 'renko'",
        ),
        (
            "/ohlcv.csv?symbol=GOLD&timeframe=99999d",
            "timeframe",
            "timeframe must be at most ten years, was '99999d'",
        ),
        (
            "/trades?symbol=GOLD&limit=1001",
            "limit",
            "limit must be a whole number from 1 to 1,000, was '1001'",
        ),
        (
            "/markets?limit=1001",
            "limit",
            "limit must be a whole number from 1 to 1,000, was '1001'",
        ),
        (
            "/markets?sort=beauty",
            "sort",
            (
                "sort must be one of quote_volume_24h, volume_24h, trades_24h, current_price, "
                "price_change_24h, price_change_percent_24h, high_24h, low_24h, symbol, name, "
                "was 'beauty'"
            ),
        ),
        ("/stats", "symbol", "symbol must be given"),
        (
            "/trades?symbol=GOLD&before=x",
            "before",
            "before must be the sequence of a trade, was 'x'",
        ),
        ("/markets?order=up", "order", "order must be one of desc, asc, was 'up'"),
        ("/marks", "symbol", "symbol must be given"),
        ("/marks?symbol=GOLD&from=x", "from", "from must be unix seconds, was 'x'"),
        (
            "/marks?symbol=GOLD&limit=1001",
            "limit",
            "limit must be a whole number from 1 to 1,000, was '1001'",
        ),
    ],
)
def test_errors_name_field_value_and_cure(web: Web, path: str, field: str, message: str) -> None:
    answer = web.ask(API + path)
    error = {"code": "bad_request", "message": message, "field": field}
    assert (400, {"success": False, "error": error}) == (answer.status, answer.json)


def test_unknown_symbols_are_not_found(web: Web) -> None:
    answer = web.ask(f"{API}/ohlcv?symbol=nope")
    assert (404, "unknown_symbol") == (answer.status, answer.json["error"]["code"])
    assert web.ask(f"{API}/markets/nope").status == 404


@pytest.mark.parametrize(
    ("query", "has_more", "next_to"),
    [
        ("limit=2", True, MINUTE_0 + 60),
        ("limit=3", False, None),
        (f"limit=1&from={MINUTE_0 + 60}", True, MINUTE_0 + 300),
        (f"from={MINUTE_0 + 60}", False, None),
        (f"limit=5&from={MINUTE_0}&fill=previous", True, MINUTE_0 + 60),
    ],
)
def test_pages_say_where_the_next_one_is(
    web: Web, query: str, has_more: bool, next_to: int | None
) -> None:
    """Bars before an asked `from` are not more of the same."""
    meta = web.ask(f"{API}/ohlcv?symbol=GOLD&{query}").json["meta"]
    assert (has_more, next_to) == (meta["has_more"], meta["next_to"])


def test_holes_are_filled_when_asked(web: Web) -> None:
    """With the close before the hole, and no volume."""
    bars = web.ask(f"{API}/ohlcv?symbol=GOLD&fill=previous").json["data"]
    assert [MINUTE_0 + 60 * i for i in range(6)] == [bar["time"] for bar in bars]
    flat = {"open": 11.5, "high": 11.5, "low": 11.5, "close": 11.5, "volume": 0.0}
    assert {"time": MINUTE_0 + 120, **flat} == bars[2]


def test_filling_a_hole_of_years_is_bounded(web: Web) -> None:
    """A second-by-second fill of it would be a billion bars."""
    web.datafeed.candle_times = (1_000_000_000, 1_700_000_000)
    bars = web.ask(f"{API}/ohlcv?symbol=GOLD&timeframe=1s&fill=previous&limit=100").json["data"]
    web.datafeed.candle_times = (MINUTE_0, MINUTE_0 + 60, MINUTE_0 + 300)
    assert [1_700_000_000 - 99 + i for i in range(100)] == [bar["time"] for bar in bars]


@pytest.mark.parametrize(
    ("query", "symbols"),
    [
        ("", ["GOLD", "TINY", "WETH/USDC"]),
        ("sort=symbol", ["GOLD", "TINY", "WETH/USDC"]),
        ("sort=symbol&order=desc", ["WETH/USDC", "TINY", "GOLD"]),
        ("sort=current_price&order=asc", ["TINY", "GOLD", "WETH/USDC"]),
        ("sort=current_price&limit=1&offset=1", ["TINY"]),
        ("query=weth", ["WETH/USDC"]),
        ("query=t&sort=symbol&order=desc&limit=1", ["WETH/USDC"]),
        ("query=nothing-like-it", []),
        ("offset=100", []),
    ],
)
def test_markets_are_found_sorted_and_paged(web: Web, query: str, symbols: list[str]) -> None:
    """A market whose number is not known comes last, whatever the direction."""
    body = web.ask(f"{API}/markets?{query}").json
    assert symbols == [row["symbol"] for row in body["data"]]
    assert len(symbols) == body["meta"]["count"]


def test_only_the_markets_of_a_page_are_asked_for(web: Web) -> None:
    """There may be a million; a search finds at most a thousand."""
    web.directory.asked.clear()
    assert (
        3 == web.ask(f"{API}/markets?sort=low_24h&order=asc&limit=2&offset=1").json["meta"]["total"]
    )
    web.ask(f"{API}/markets?query=gold&offset=5")
    assert [("low_24h", False, 2, 1), ("gold", "", 1_000)] == web.directory.asked


def test_within_a_page_the_numbers_shown_are_in_order(web: Web) -> None:
    """The order of all markets may be that of a while ago."""
    rows = web.ask(f"{API}/markets?sort=trades_24h&order=asc").json["data"]
    assert [0, 2, None] == [row.get("trades_24h") for row in rows]


def test_csv_is_for_spreadsheets_and_leads_to_the_page_before(web: Web) -> None:
    answer = web.ask(f"{API}/ohlcv.csv?symbol=gold&limit=1")
    assert (
        b"time,open,high,low,close,volume\r\n1700000340,10.0,11.0,9.0,10.5,1.25\r\n" == answer.body
    )
    assert "text/csv; charset=utf-8" == answer.headers["content-type"]
    path = "/api/lightweight/ohlcv.csv?symbol=gold&limit=1&to=1700000340"
    assert f'<{path}>; rel="next"' == answer.headers["link"]
    assert b"1700000100," in web.ask(path).body
    assert "link" not in web.ask(f"{API}/ohlcv.csv?symbol=gold").headers
    again = web.ask(f"{API}/ohlcv.csv?symbol=gold&limit=1", if_none_match=answer.headers["etag"])
    assert 304 == again.status


def test_stats_are_those_of_one_market(web: Web) -> None:
    """What is not known is absent: for a market without a trade, nearly all."""
    now = int(time.time())
    data = web.ask(f"{API}/stats?symbol=gold").json["data"]
    first, last = data.pop("from"), data.pop("to")
    assert abs(last - now) < 10
    assert (0, True) == (first % 60, 86_340 <= last - first < 86_400)
    assert golden("lightweight_stats") == data
    assert {"symbol", "from", "to"} == set(web.ask(f"{API}/stats?symbol=weth/usdc").json["data"])
    assert "high_24h" not in web.ask(f"{API}/stats?symbol=tiny").json["data"]


def test_bars_that_a_reorg_may_change_say_so(web: Web) -> None:
    """In objects where it is false, in columns for all; what fills a hole after one is as it is."""
    path = f"{API}/ohlcv?symbol=GOLD"
    web.datafeed.provisional_from = MINUTE_0 + 60
    objects = web.ask(path).json["data"]
    columns = web.ask(f"{path}&format=columns").json["data"]
    filled = web.ask(f"{path}&format=columns&fill=previous").json["data"]
    web.datafeed.provisional_from = None
    assert [None, False, False] == [bar.get("final") for bar in objects]
    assert [True, False, False] == columns["final"]
    assert [True, *[False] * 5] == filled["final"]
    assert not any("final" in bar for bar in web.ask(path).json["data"])
    assert "final" not in web.ask(f"{path}&format=columns").json["data"]


def test_marks_without_from_are_those_of_a_day(web: Web) -> None:
    """And no market has marks of the future."""
    web.datafeed.asked.clear()
    meta = web.ask(f"{API}/marks?symbol=GOLD&to={MINUTE_0}&limit=7").json["meta"]
    assert (MINUTE_0 - 86_400, MINUTE_0) == (meta["from"], meta["to"])
    web.ask(f"{API}/marks?symbol=GOLD&from=5&to=99999999999")
    [day, ever] = web.datafeed.asked
    assert ("GOLD", MINUTE_0 - 86_400, MINUTE_0, 7, None) == day
    assert (5, 100) == (ever[1], ever[3])
    assert abs(ever[2] - time.time() - 60) < 10


@pytest.mark.parametrize(
    ("span", "times"),
    [
        (f"from={MINUTE_0}&to={MINUTE_0 + 1}", [MINUTE_0]),
        (f"from={MINUTE_0 + 1}", [MINUTE_0 + 1]),
        (f"to={MINUTE_0 + 1}", [MINUTE_0]),
        (f"from={MINUTE_0 + 2}", []),
    ],
)
def test_trades_of_a_span(web: Web, span: str, times: list[int]) -> None:
    """Of one bar, for instance: both ends as with candles."""
    page = web.ask(f"{API}/trades?symbol=GOLD&{span}").json
    assert times == [int(row["time"]) for row in page["data"]]


def test_what_is_held_is_told_of_one_market(web: Web) -> None:
    """Lists leave it out: it takes a sum over all of the market's trades."""
    assert web.ask(f"{API}/markets/gold").json["data"]["open_interest"] == 212.5
    assert "open_interest" not in web.ask(f"{API}/markets/tiny").json["data"]
    assert all("open_interest" not in row for row in web.ask(f"{API}/markets").json["data"])
    query = f"symbol=gold&timeframe=1m&from={MINUTE_0}&to={MINUTE_0 + 120}&limit=1"
    answer = web.ask(f"{API}/open-interest?{query}").json
    assert [{"time": MINUTE_0 + 60, "value": 212.5}] == answer["data"]
    assert {"symbol": "GOLD", "timeframe": "1m", "count": 1} == answer["meta"]
    assert [{"time": MINUTE_0, "value": 0.0001}] == web.ask(f"{API}/funding?symbol=gold").json[
        "data"
    ]


def test_trades_are_paged_by_sequence(web: Web) -> None:
    """Sequences are strings: a double does not hold them."""
    page = web.ask(f"{API}/trades?symbol=GOLD&limit=1").json
    assert (True, "1000000000000001") == (page["meta"]["has_more"], page["meta"]["next_before"])
    last = web.ask(f"{API}/trades?symbol=GOLD&before={page['meta']['next_before']}").json
    assert (False, None) == (last["meta"]["has_more"], last["meta"]["next_before"])
    rows = page["data"] + last["data"]
    assert [r["sequence"] for r in rows] == ["1000000000000001", "1000000000000000"]
    assert [r["side"] for r in rows] == [None, "buy"]


@effort(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 6), max_size=30), st.integers(1, 9))
def test_pages_of_trades_hold_every_trade_once(sequences: list[int], limit: int) -> None:
    """Also where many share a sequence, as trades of one microsecond do."""
    rows = [
        TradeRow(i, s, 1.0, 1.0, 1.0, "", "trade", 0, 0, "", str(i))
        for i, s in enumerate(sequences)
    ]
    rows.sort(key=lambda row: -row.sequence)

    class Past:
        async def trades(self, _: Market, limit: int, before: int | None) -> list[TradeRow]:
            return [row for row in rows if before is None or row.sequence < before][:limit]

    parts: Any = SimpleNamespace(catalogue=Catalogue([GOLD]), datafeed=Past())
    values, found = {"symbol": "GOLD", "limit": str(limit)}, []
    while True:
        body = asyncio.run(trades_body(parts, Params(values)))
        found += [row["id"] for row in body["data"]]
        if not body["meta"]["has_more"]:
            break
        values = values | {"before": body["meta"]["next_before"]}
    assert [row.trade_id for row in rows] == found


@effort(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    route=st.sampled_from(["ohlcv", "markets", "trades", "marks", "stats", "markets/x", "x"]),
    query=st.dictionaries(
        st.sampled_from(
            "symbol timeframe from to limit fill format type sort order offset before query".split()
        ),
        st.one_of(
            st.text(max_size=20),
            st.integers().map(str),
            st.sampled_from(["GOLD", "1s", "7m", "10M", "previous", "columns", "symbol"]),
        ),
    ),
)
def test_no_query_breaks_a_route(web: Web, route: str, query: dict[str, str]) -> None:
    response = web.pool.request(
        "GET", f"http://127.0.0.1:{web.port}{API}/{route}", fields=query, retries=False
    )
    assert response.status in (200, 400, 404)
    body = msgspec.json.decode(response.data)
    assert body["success"] == (response.status == 200)
    assert response.status == 200 or body["error"]["message"]
