import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from appliance.errors import BadRequest, Retryable
from appliance.web.udf import decimals_shown, interval_of
from tests.web_server import GOLD, MINUTE_0, Web, serving

UDF = "/api/tradingview"
GOLDEN = Path(__file__).parent / "golden"
RANGE = f"from={MINUTE_0}&to={MINUTE_0 + 360}"


class Asked:
    """As much of a request as its question takes."""

    def __init__(self, query_string: str) -> None:
        self.query_string = query_string


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_asked(web: Web) -> None:
    web.datafeed.asked.clear()
    web.datafeed.failure = None


def golden(name: str) -> Any:
    return msgspec.json.decode((GOLDEN / f"{name}.json").read_bytes())


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("udf_config", "/config"),
        ("udf_symbols", "/symbols?symbol=gold"),
        ("udf_symbols_tiny", "/symbols?symbol=TEST:TINY"),
        ("udf_search", "/search?query=t&type=&exchange=&limit=30"),
        ("udf_history", f"/history?symbol=GOLD&resolution=1&{RANGE}&countback=2"),
        ("udf_no_data", f"/history?symbol=TINY&resolution=1&{RANGE}"),
        (
            "udf_next_time",
            f"/history?symbol=GOLD&resolution=1&from={MINUTE_0 + 120}&to={MINUTE_0 + 180}",
        ),
        ("udf_marks", f"/marks?symbol=GOLD&resolution=1&{RANGE}"),
        ("udf_timescale_marks", f"/timescale_marks?symbol=GOLD&resolution=1&{RANGE}"),
    ],
)
def test_answers_are_golden(web: Web, name: str, path: str) -> None:
    """The whole body, key by key."""
    answer = web.ask(UDF + path)
    assert answer.status == 200
    assert golden(name) == answer.json


@pytest.mark.parametrize(
    ("status", "path", "message"),
    [
        (404, "/symbols?symbol=NOPE", "unknown_symbol"),
        (404, f"/history?symbol=NOPE&resolution=1&{RANGE}", "unknown_symbol"),
        (
            400,
            f"/history?symbol=GOLD&resolution=1m&{RANGE}",
            "resolution must be minutes like 5 or 60, or like 1S 1D 1W 1M, was '1m'",
        ),
        (
            400,
            "/history?symbol=GOLD&resolution=1&from=200&to=100",
            "from must be at most to, was 200 with to 100",
        ),
        (
            400,
            "/history?symbol=GOLD&resolution=1&from=abc&to=100",
            "from must be unix seconds, was 'abc'",
        ),
        (
            400,
            "/history?symbol=GOLD&resolution=1&from=1.5&to=100",
            "from must be unix seconds, was '1.5'",
        ),
        (
            400,
            "/history?symbol=GOLD&resolution=1&from=1&to=1700000000000",
            "to must be unix seconds, was '1700000000000'",
        ),
        (400, "/history?symbol=GOLD", "resolution must be given"),
        (400, "/symbols", "symbol must be given"),
        (404, f"/marks?symbol=NOPE&resolution=1&{RANGE}", "unknown_symbol"),
        (400, "/marks?symbol=GOLD&resolution=1&to=5", "from must be given"),
        (400, "/timescale_marks?symbol=GOLD&resolution=1&from=5", "to must be given"),
        (
            400,
            "/marks?symbol=GOLD&resolution=1&from=abc&to=100",
            "from must be unix seconds, was 'abc'",
        ),
        (
            400,
            "/timescale_marks?symbol=GOLD&resolution=1&from=200&to=100",
            "from must be at most to, was 200 with to 100",
        ),
        (
            400,
            f"/marks?symbol=GOLD&resolution=1m&{RANGE}",
            "resolution must be minutes like 5 or 60, or like 1S 1D 1W 1M, was '1m'",
        ),
        (400, "/search?query=a&limit=no", "limit must be a whole number from 1 to 1,000, was 'no'"),
        (404, "/nothing", "path must be one that is served, was '/api/tradingview/nothing'"),
        (404, "", "path must be one that is served, was '/api/tradingview'"),
        (404, "%2Fconfig", "path must be one that is served, was '/api/tradingview%2Fconfig'"),
    ],
)
def test_errors_have_the_body_of_the_dialect(
    web: Web, status: int, path: str, message: str
) -> None:
    """The adapter reads nothing but the body."""
    answer = web.ask(UDF + path)
    assert {"s": "error", "errmsg": message} == answer.json
    assert status == answer.status


def test_a_wrong_method_is_an_error_of_the_dialect(web: Web) -> None:
    answer = web.ask(f"{UDF}/config", "POST", body=b"x")
    assert {"s": "error", "errmsg": "method must be one of GET, was POST"} == answer.json
    assert (405, "GET") == (answer.status, answer.headers["allow"])


def test_a_failing_store_is_an_error_and_not_the_absence_of_data(web: Web) -> None:
    """no_data would make the widget stop asking."""
    web.datafeed.failure = Retryable("the store is busy: ask again")
    answer = web.ask(f"{UDF}/history?symbol=GOLD&resolution=1&{RANGE}")
    assert {"s": "error", "errmsg": "the store is busy: ask again"} == answer.json
    assert (503, "1") == (answer.status, answer.headers["retry-after"])


def test_an_internal_error_tells_nothing_of_the_inside(
    web: Web, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has the traceback, the answer has a sentence."""
    web.datafeed.failure = RuntimeError("secret of the inside")
    answer = web.ask(f"{UDF}/history?symbol=GOLD&resolution=1&{RANGE}")
    assert {"s": "error", "errmsg": "the server failed; its log says why"} == answer.json
    assert answer.status == 500
    assert "secret of the inside" in caplog.text


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        (f"{RANGE}&countback=300", (MINUTE_0, MINUTE_0 + 360, 300)),
        (f"{RANGE}&countback=-4", (MINUTE_0, MINUTE_0 + 360, 0)),
        (f"{RANGE}&countback=99999999999", (MINUTE_0, MINUTE_0 + 360, 10_000)),
        ("from=-5&to=-1&countback=2", (0, 0, 2)),
        ("from=1&to=2&countback=", (1, 2, 0)),
        ("from=1&to=2&countback=1&countback=7", (1, 2, 7)),
        ("from=1&to=2&firstDataRequest=true&currencyCode=USD&unitId=x", (1, 2, 0)),
        ("to=2&countback=3", (None, 2, 3)),
        ("to=2", (None, 2, 10_000)),
    ],
)
def test_the_range_reaches_the_datafeed(web: Web, query: str, asked: tuple[Any, ...]) -> None:
    """countback ≤ 0 counts as absent, a huge one is capped, and other parameters are ignored."""
    web.ask(f"{UDF}/history?symbol=GOLD&resolution=1&{query}")
    assert [("GOLD", "1m", *asked, 10_000)] == web.datafeed.asked


@pytest.mark.parametrize("route", ["marks", "timescale_marks"])
def test_marks_are_asked_for_the_bars_of_the_range(web: Web, route: str) -> None:
    """`to` is the last bar in sight, and is meant; what comes after that bar counts to it."""
    web.ask(f"{UDF}/{route}?symbol=GOLD&resolution=1&from={MINUTE_0 + 1}&to={MINUTE_0 + 60}")
    [candles, marks] = web.datafeed.asked
    assert ("GOLD", "1m", MINUTE_0 + 1, MINUTE_0 + 61, 0, 10_000) == candles
    assert ("GOLD", MINUTE_0 + 60, MINUTE_0 + 120, 1_000, "1m") == marks


def test_without_bars_there_are_no_marks(web: Web) -> None:
    """Nor is the store asked for any."""
    assert [] == web.ask(f"{UDF}/marks?symbol=TINY&resolution=1&{RANGE}").json
    assert [] == web.ask(f"{UDF}/timescale_marks?symbol=GOLD&resolution=1&from=1&to=2").json
    assert ["TINY", "GOLD"] == [asked[0] for asked in web.datafeed.asked]


def test_marks_of_a_failing_store_are_an_error(web: Web) -> None:
    web.datafeed.failure = Retryable("the store is busy: ask again")
    answer = web.ask(f"{UDF}/marks?symbol=GOLD&resolution=1&{RANGE}")
    assert (503, "error") == (answer.status, answer.json["s"])


def test_only_settled_history_may_be_kept_by_shared_caches(web: Web) -> None:
    """Browsers ask again either way, and the tag tells them that nothing changed."""
    path = f"{UDF}/history?symbol=GOLD&resolution=1&{RANGE}"
    assert web.ask(path).headers["cache-control"] == "no-cache"
    web.datafeed.is_settled = True
    settled = web.ask(path)
    again = web.ask(path, if_none_match=settled.headers["etag"])
    web.datafeed.is_settled = False
    assert settled.headers["cache-control"] == "max-age=0, must-revalidate, s-maxage=30"
    assert (304, settled.headers["cache-control"]) == (again.status, again.headers["cache-control"])


def test_without_to_the_range_ends_after_now(web: Web) -> None:
    """The forming bar is in it."""
    web.ask(f"{UDF}/history?symbol=GOLD&resolution=1&from=5")
    assert abs(web.datafeed.asked[0][3] - time.time()) < 10


@pytest.mark.parametrize(
    ("resolution", "name"),
    [
        *(("1S", "1s"), ("S", "1s"), ("30S", "30s"), ("1", "1m"), ("3", "3m"), ("45", "45m")),
        *(("60", "1h"), ("240", "4h"), ("720", "12h"), ("D", "1d"), ("1D", "1d"), ("3D", "3d")),
        *(("W", "1w"), ("1W", "1w"), ("M", "1M"), ("1M", "1M"), ("12M", "12M")),
    ],
)
def test_resolutions_name_intervals(resolution: str, name: str) -> None:
    assert name == interval_of(resolution).name


@pytest.mark.parametrize("resolution", ["", "0", "1m", "1d", "x", "-1", "1.5", "1H", "0D", "9999D"])
def test_other_resolutions_are_refused(resolution: str) -> None:
    with pytest.raises(BadRequest, match="resolution must be"):
        interval_of(resolution)


def test_every_offered_resolution_is_understood(web: Web) -> None:
    for resolution in web.parts.settings.supported_resolutions:
        assert interval_of(resolution)


@pytest.mark.parametrize(
    ("known", "price", "decimals"),
    [
        (2, 2_000.5, 2),
        (0, 2_000.5, 2),
        (4, 2_000.5, 4),
        (2, 12.34, 3),
        (2, 1.0, 4),
        (8, 0.00000123, 10),
        (2, 0.5, 5),
        (18, 2_000.0, 11),
        (2, 1e15, 0),
        (2, 1e-19, 22),
        (6, None, 6),
        (0, None, 2),
    ],
)
def test_prices_have_five_significant_digits(
    known: int, price: float | None, decimals: int
) -> None:
    """And never more than the fifteen that a double holds."""
    assert decimals == decimals_shown(known, price)


def test_search_knows_types(web: Web) -> None:
    """A type that we do not have finds nothing."""
    assert [] == web.ask(f"{UDF}/search?query=&type=stock").json
    assert len(web.parts.catalogue.visible()) == len(web.ask(f"{UDF}/search?query=").json)


def test_time_is_a_bare_integer(web: Web) -> None:
    assert abs(int(web.ask(f"{UDF}/time").body) - time.time()) < 10


@pytest.mark.parametrize("spelling", ["gold", "TEST:GOLD", "%20gold%20", "ＧＯＬＤ"])
def test_symbols_are_found_in_any_spelling(web: Web, spelling: str) -> None:
    assert GOLD.symbol == web.ask(f"{UDF}/symbols?symbol={spelling}").json["name"]


def test_symbols_are_found_by_address(web: Web) -> None:
    assert web.ask(f"{UDF}/symbols?symbol=0x{'AB' * 20}").json["name"] == "WETH/USDC"


@effort(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    route=st.sampled_from(
        ["config", "symbols", "search", "history", "marks", "timescale_marks", "time", "x"]
    ),
    query=st.dictionaries(
        st.sampled_from(["symbol", "resolution", "from", "to", "countback", "limit", "query", "y"]),
        st.one_of(
            st.text(max_size=20),
            st.integers().map(str),
            st.floats().map(str),
            st.sampled_from(["GOLD", "1", "1D", "D", "", "0", "1M", "999999W"]),
        ),
    ),
)
def test_no_query_breaks_a_route(web: Web, route: str, query: dict[str, str]) -> None:
    """Whatever is sent: an answer or an error in the dialect, never a failure of ours."""
    response = web.pool.request(
        "GET", f"http://127.0.0.1:{web.port}{UDF}/{route}", fields=query, retries=False
    )
    assert response.status in (200, 400, 404)
    if response.status != 200:
        body = msgspec.json.decode(response.data)
        assert body["s"] == "error"
        assert body["errmsg"]


@effort(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=60))
def test_no_raw_query_breaks_a_route(web: Web, query: bytes) -> None:
    """Bytes that are no URL at all are refused in the dialect too."""
    head = b"GET /api/tradingview/history?" + query + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    if b"\r" in query or b"\n" in query or b" " in query:
        return
    received = web.raw(head)
    assert b" 500 " not in received.split(b"\r\n")[0]
    assert b'{"s":"' in received
