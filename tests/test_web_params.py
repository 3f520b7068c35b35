import pytest

from appliance.errors import BadRequest
from appliance.web.params import Params
from tests.web_server import serving


def test_texts_that_must_be_given() -> None:
    """An empty value counts as absent."""
    with pytest.raises(BadRequest, match="symbol must be given"):
        Params({"symbol": ""}).text("symbol")
    assert Params({"symbol": "x"}).text("symbol") == "x"
    assert Params({}).text("symbol", "") == ""


@pytest.mark.parametrize("value", ["1.0", "1e3", "x", " 1", "0x10", "١", "1_000", "--1", "9" * 21])
def test_only_whole_numbers_are_integers(value: str) -> None:
    with pytest.raises(BadRequest, match="limit must be a whole number from 1 to 1,000, was"):
        Params({"limit": value}).integer("limit", 5, 1, 1_000)


def test_integers_have_bounds_and_defaults() -> None:
    assert Params({}).integer("limit", 5, 1, 10) == 5
    assert Params({"limit": "+10"}).integer("limit", 5, 1, 10) == 10
    with pytest.raises(BadRequest, match="limit must be a whole number from 1 to 10, was '11'"):
        Params({"limit": "11"}).integer("limit", 5, 1, 10)


def test_choices_name_what_may_be_chosen() -> None:
    assert Params({}).choice("fill", ("none", "previous")) == "none"
    with pytest.raises(BadRequest, match="fill must be one of none, previous, was 'x'"):
        Params({"fill": "x"}).choice("fill", ("none", "previous"))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, (None, 101)),
        ({"from": "-7", "to": "-3"}, (0, 0)),
        ({"from": "5", "to": "5"}, (5, 5)),
        ({"from": "500"}, (500, 101)),
    ],
)
def test_ranges(values: dict[str, str], expected: tuple[int | None, int]) -> None:
    """Without `to` the range ends just after now, so that a bar that begins now is in it."""
    assert expected == Params(values).time_range(100)


def test_intervals_name_their_field() -> None:
    assert Params({}).interval("timeframe", "1m").name == "1m"
    assert Params({"timeframe": "1H"}).interval("timeframe", "1m").name == "1h"
    with pytest.raises(BadRequest, match="timeframe must be a number and one of"):
        Params({"timeframe": "soon"}).interval("timeframe", "1m")


def test_queries_have_limits() -> None:
    """On their number and on the length of each; the last of repeated ones counts."""
    with serving(max_query_params=5) as web:
        route = "/api/tradingview/symbols"
        assert web.ask(f"{route}?a=1&b=2&c=3&symbol=nope&symbol=gold").status == 200
        assert web.ask(f"{route}?a=1&b=2&c=3&d=4&e=5&symbol=gold").status == 400
        answer = web.ask(f"{route}?symbol={'x' * 257}")
        assert answer.json["errmsg"] == "symbol must be at most 256 characters, was 257"
