"""The routes of the original design answer as lightweight's, to the parameters it had."""

from collections.abc import Iterator

import pytest

from appliance.errors import BadRequest
from appliance.web.charts import translated
from appliance.web.params import Params
from tests.web_server import MINUTE_0, Web, serving

API = "/api/charts"


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with serving() as running:
        yield running


@pytest.mark.parametrize(
    ("former", "present"),
    [
        ("ohlcv?symbol=GOLD", "ohlcv?symbol=GOLD"),
        (
            f"ohlcv?symbol=GOLD&timeframe=1m&startTime={MINUTE_0}&endTime={MINUTE_0 + 60}&limit=9",
            f"ohlcv?symbol=GOLD&timeframe=1m&from={MINUTE_0}&to={MINUTE_0 + 61}&limit=9",
        ),
        (
            f"ohlcv?symbol=GOLD&startTime={MINUTE_0 - 1}999&endTime={MINUTE_0 + 60}000",
            f"ohlcv?symbol=GOLD&from={MINUTE_0}&to={MINUTE_0 + 61}",
        ),
        ("markets?sort=symbol&limit=2", "markets?sort=symbol&limit=2"),
    ],
)
def test_former_names_answer_as_the_present_ones(web: Web, former: str, present: str) -> None:
    answer = web.ask(f"{API}/{former}")
    assert answer.status == 200
    assert web.ask(f"/api/lightweight/{present}").json == answer.json


def test_health_is_that_of_the_process(web: Web) -> None:
    assert web.ask("/health").json == web.ask(f"{API}/health").json


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("startTime=x", "startTime", "startTime must be unix seconds or milliseconds, was 'x'"),
        (
            "startTime=200&endTime=100",
            "startTime",
            "startTime must be at most endTime, was 200 with endTime 100",
        ),
        ("limit=0", "limit", "limit must be a whole number from 1 to 10,000, was '0'"),
    ],
)
def test_errors_name_the_parameter_that_was_sent(
    web: Web, query: str, field: str, message: str
) -> None:
    answer = web.ask(f"{API}/ohlcv?symbol=GOLD&{query}")
    error = {"code": "bad_request", "message": message, "field": field}
    assert (400, {"success": False, "error": error}) == (answer.status, answer.json)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("1700000000", "1700000060", ("1700000000", "1700000061")),
        ("1700000000000", "1700000060999", ("1700000000", "1700000061")),
        ("1700000000001", "1700000060", ("1700000001", "1700000061")),
        ("-1", "0", ("-1", "1")),
        ("5", "5", ("5", "6")),
    ],
)
def test_times_are_inclusive_in_seconds_or_milliseconds(
    start: str, end: str, expected: tuple[str, str]
) -> None:
    """A bar that starts at a whole second is in the range or not, to the millisecond."""
    values = translated(Params({"startTime": start, "endTime": end, "from": "7"})).values
    assert expected == (values["from"], values["to"])


def test_the_present_names_mean_nothing_there() -> None:
    """They would be two words for one thing."""
    assert "from" not in translated(Params({"from": "7"})).values
    with pytest.raises(BadRequest):
        translated(Params({"startTime": "9", "endTime": "7"}))
