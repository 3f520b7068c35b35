import gzip
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from appliance.errors import Conflict, Retryable
from appliance.model import Market, MarketId, MarketSpec
from tests.web_server import KEY, Answer, Web, serving

NDJSON = "application/x-ndjson"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with serving(data_dir=tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_stored(web: Web) -> None:
    web.ingest.submissions.clear()
    web.ingest.failure = None


def post(web: Web, body: bytes, **headers: str) -> Answer:
    return web.ask("/api/trades", "POST", body=body, X_API_Key=KEY, **headers)


def trade(**fields: Any) -> dict[str, Any]:
    return {"symbol": "GOLD", "time": 1_700_000_000, "price": 10.5, "size": "0.1"} | fields


def batch(*trades: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"trades": trades})


def lines(*trades: dict[str, Any]) -> bytes:
    return b"".join(msgspec.json.encode(t) + b"\n" for t in trades)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (batch(trade(), trade(id="b")), {}),
        (batch(trade(), trade(id="b")), {"Content_Type": "application/json"}),
        (lines(trade(), trade(id="b")), {"Content_Type": NDJSON}),
        (lines(trade(), trade(id="b")).replace(b"\n", b"\r\n\n"), {"Content_Type": NDJSON}),
        (gzip.compress(batch(trade(), trade(id="b")), mtime=0), {"Content_Encoding": "gzip"}),
        (
            gzip.compress(lines(trade()), mtime=0) + gzip.compress(lines(trade(id="b")), mtime=0),
            {"Content_Encoding": "gzip", "Content_Type": "application/jsonl; charset=utf-8"},
        ),
    ],
)
def test_trades_are_taken_in_every_form(web: Web, body: bytes, headers: dict[str, str]) -> None:
    answer = post(web, body, **headers)
    assert (200, {"accepted": 2, "duplicates": 0}) == (answer.status, answer.json)
    ((table, specs, source),) = web.ingest.submissions
    assert [Decimal("0.1"), Decimal("0.1")] == table["base_volume"].to_pylist()
    assert ("GOLD", "Gold", "api") == (specs[0].symbol, specs[0].name, source)


def test_an_empty_batch_stores_nothing(web: Web) -> None:
    assert {"accepted": 0, "duplicates": 0} == post(web, batch()).json
    assert [] == web.ingest.submissions


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (
            b"",
            "",
            'body must be {"trades":[…]} or, as NDJSON, lines, was not: Input data was trunc',
        ),
        (lines(trade()), "", 'body must be {"trades":[…]}: Object missing required field `trades`'),
        (b"[]", "", 'body must be {"trades":[…]}: Expected `object`, got `array`'),
        (b'{"a"', NDJSON, "body must be one JSON object a line, was not: Input data was truncated"),
        (b"\xff", "", 'body must be {"trades":[…]} or, as NDJSON, lines, was not: '),
        (batch(trade(), {"symbol": "A"}), "", "trades[1].time must be given"),
        (lines(trade(), {"symbol": "A"}), NDJSON, "trades[1].time must be given"),
        (batch(trade(price=None)), "", "trades[0].price is wrong: expected `decimal`, got `null`"),
        (batch(trade(price="ten")), "", "trades[0].price is wrong: invalid decimal string"),
        (batch(trade(block_number=1.5)), "", "trades[0].block_number is wrong: expected"),
        (batch(trade(), trade(price=-1)), "", "trades[1].price must be above 0 and below 1e20"),
        (batch(trade(), trade(symbol="a b")), "", "trades[1].symbol must be up to 32 letters"),
        (batch(trade(symbol="0x" + "cd" * 20)), "", "trades[0].symbol must be up to 32 letters"),
        (batch(trade(time=4e9)), "", "trades[0].time must be from 2000-01-01 to one minute ahead"),
        (
            batch(trade(symbol="weth/usdc")),
            "",
            "trades[0].block_number must be given, as WETH/USDC",
        ),
    ],
)
def test_one_bad_trade_refuses_the_batch(web: Web, body: bytes, kind: str, message: str) -> None:
    """With its index and the reason."""
    answer = post(web, body, Content_Type=kind)
    assert answer.status == 400
    assert answer.json["error"]["message"].startswith(message)
    assert [] == web.ingest.submissions


def test_known_markets_are_found_in_any_spelling(web: Web) -> None:
    where = {"block_number": 1, "log_index": 2}
    spellings = ("weth/usdc", "WETHUSDC", "DEX:WETH/USDC", "0x" + "ab" * 20)
    post(web, batch(*(trade(symbol=s, **where) for s in spellings)))
    ((table, specs, _),) = web.ingest.submissions
    assert ["WETH/USDC"] == [spec.symbol for spec in specs]
    assert [0] * 4 == table["market_id"].to_pylist()


def test_writing_another_symbol_never_hits_a_similar_market(web: Web) -> None:
    """Reading, GO-LD may be a spelling of GOLD; writing, it is a market of its own."""
    post(web, batch(trade(symbol="GO-LD")))
    ((_, specs, _),) = web.ingest.submissions
    assert ["GO-LD"] == [spec.symbol for spec in specs]


def test_trades_are_not_mixed_into_a_demo_market(web: Web) -> None:
    """They make a market of their own, which takes the name over."""
    spec = MarketSpec("DOGE", exchange="DEMO", order="chain")
    web.parts.catalogue.put(Market(MarketId(9), spec))
    post(web, batch(trade(symbol="doge")))
    ((_, specs, _),) = web.ingest.submissions
    assert [("DOGE", "time")] == [(s.symbol, s.order) for s in specs]
    assert specs[0].exchange != "DEMO"


def test_markets_are_not_created_unless_allowed() -> None:
    with serving(auto_create_markets=False) as web:
        assert post(web, batch(trade())).status == 200
        answer = post(web, batch(trade(), trade(symbol="NEW")))
        assert (404, "unknown_symbol") == (answer.status, answer.json["error"]["code"])


def test_a_body_over_the_limit_is_refused(web: Web) -> None:
    answer = post(web, b"x" * 100_001)
    assert (413, "too_large") == (answer.status, answer.json["error"]["code"])


def test_a_body_far_over_the_limit_is_not_received(web: Web) -> None:
    """Up to a point the rest is thrown away, so that the sender gets to read the answer."""
    head = b"POST /api/trades HTTP/1.1\r\nHost: x\r\nX-API-Key: %b\r\n" % KEY.encode()
    body = b" " * (17 << 20)
    received = web.raw(head + b"Content-Length: 900000000\r\n\r\n" + body)
    assert b" 413 " in received.split(b"\r\n")[0]


def test_the_limit_holds_without_a_length(web: Web) -> None:
    """A chunked body does not say how long it is."""
    answer = post(web, (b"x" * 60_000 for _ in range(3)))  # type: ignore[arg-type]
    assert answer.status == 413


def test_a_small_body_does_not_become_a_large_one(web: Web) -> None:
    """The limit counts what is unpacked."""
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < 100_000
    assert post(web, bomb, Content_Encoding="gzip").status == 413


@pytest.mark.parametrize(
    ("body", "encoding", "message"),
    [
        (batch(trade()), "gzip", "body must be gzip, as Content-Encoding says, was not"),
        (
            gzip.compress(batch(trade()), mtime=0)[:-9],
            "gzip",
            "body must be whole gzip, was cut short",
        ),
        (batch(trade()), "br", "Content-Encoding must be gzip or absent, was 'br'"),
    ],
)
def test_wrong_encodings_are_refused(web: Web, body: bytes, encoding: str, message: str) -> None:
    answer = post(web, body, Content_Encoding=encoding)
    assert answer.status == 400
    assert answer.json["error"]["message"].startswith(message)


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (Conflict("id 'a' is stored with another price"), 409, "conflict"),
        (Retryable("the store is busy: send it again"), 503, "unavailable"),
    ],
)
def test_what_ingest_says_is_answered(web: Web, failure: Exception, status: int, code: str) -> None:
    web.ingest.failure = failure
    answer = post(web, batch(trade()))
    error = {"code": code, "message": str(failure)}
    assert (status, error) == (answer.status, answer.json["error"])


def test_with_a_key_trades_without_ids_get_the_same_ones_again(web: Web) -> None:
    """Rows that can be told apart keep what they have; another key makes other ids."""
    body = batch(trade(), trade(id="b"), trade(), trade(symbol="WETH/USDC", **PLACE))
    for name in ("k1", "k1", "k2"):
        assert 200 == post(web, body, Idempotency_Key=name).status
    first, second, other = (table for table, _, _ in web.ingest.submissions)
    ids = first["trade_id"].to_pylist()
    assert first == second
    assert ("b", "") == (ids[1], ids[3])
    assert 3 == len({*ids[:3]} - {""})
    assert {"b", ""} == set(ids) & set(other["trade_id"].to_pylist())


PLACE = {"block_number": 7, "log_index": 1}


def test_without_a_key_trades_without_ids_have_none(web: Web) -> None:
    """They are never the same."""
    body = batch(trade(), trade())
    assert [200, 200] == [post(web, body).status for _ in range(2)]
    tables = [table for table, _, _ in web.ingest.submissions]
    assert {""} == {name for table in tables for name in table["trade_id"].to_pylist()}
    assert 4 == len({tie for table in tables for tie in table["tie"].to_pylist()})


def test_a_key_with_another_body_is_a_conflict(web: Web) -> None:
    """The key is named; packed or not, it is the body that counts."""
    body = batch(trade())
    assert 200 == post(web, body, Idempotency_Key="once").status
    again = post(web, gzip.compress(body), Idempotency_Key="once", Content_Encoding="gzip")
    assert 200 == again.status
    found = post(web, batch(trade(price=11)), Idempotency_Key="once")
    error = found.json["error"]
    assert (409, "conflict", "Idempotency-Key") == (found.status, error["code"], error["field"])
    assert error["message"].startswith("Idempotency-Key 'once' came with another body")
    assert 2 == len(web.ingest.submissions)


@pytest.mark.parametrize("name", ["", "x" * 129, "a\x01"])
def test_a_key_that_is_none_is_refused(web: Web, name: str) -> None:
    """Field, value and cure are named, and nothing is stored."""
    found = post(web, batch(trade()), Idempotency_Key=name)
    error = found.json["error"]
    assert (400, "Idempotency-Key") == (found.status, error["field"])
    assert error["message"].startswith("Idempotency-Key must be 1 to 128 printable ASCII")
    assert not web.ingest.submissions


@pytest.mark.parametrize(
    ("failure", "status", "later"), [(Conflict("no"), 409, 200), (Retryable("no"), 503, 409)]
)
def test_what_is_refused_leaves_its_key_free(
    web: Web, failure: Exception, status: int, later: int
) -> None:
    """What may be stored all the same does not: it must be sent again as it was."""
    name = f"refused {status}"
    web.ingest.failure = failure
    assert status == post(web, batch(trade()), Idempotency_Key=name).status
    web.ingest.failure = None
    assert later == post(web, batch(trade(price=11)), Idempotency_Key=name).status


def test_a_wrong_body_does_not_take_the_key(web: Web) -> None:
    """It is corrected and sent again under the same key; an empty one neither."""
    for body in (b"{", batch(trade(price=-1)), batch()):
        post(web, body, Idempotency_Key="corrected")
    assert 200 == post(web, batch(trade()), Idempotency_Key="corrected").status


def test_keys_outlive_the_server(tmp_path: Path) -> None:
    """They lie in the data directory."""
    for price, status in ((10, 200), (10, 200), (11, 409)):
        with serving(data_dir=tmp_path) as running:
            found = post(running, batch(trade(price=price)), Idempotency_Key="kept")
            assert status == found.status


def test_the_key_is_asked_for_before_the_body_is_read(web: Web) -> None:
    """Strangers do not make us work."""
    head = b"POST /api/trades HTTP/1.1\r\nHost: x\r\nContent-Length: 90000000\r\n\r\n"
    assert b" 401 " in web.raw(head).split(b"\r\n")[0]


values: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.integers(), st.floats(allow_nan=False), st.text(max_size=9), st.just([])
)
fields = st.sampled_from(
    "symbol time price size amount side id kind fee trader "
    "block_number log_index transaction_hash other".split()
)


@effort(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.dictionaries(fields, values, max_size=3), max_size=3))
def test_no_batch_breaks_the_route(web: Web, changes: list[dict[str, Any]]) -> None:
    """Whatever is sent is taken whole, or refused as a whole."""
    web.ingest.submissions.clear()
    answer = post(web, batch(*(trade(**change) for change in changes)))
    assert answer.status in (200, 400)
    stored = sum(table.num_rows for table, _, _ in web.ingest.submissions)
    assert stored == (len(changes) if answer.status == 200 else 0)


@effort(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=80), st.sampled_from([NDJSON, "application/json", "x/y"]))
def test_no_body_breaks_the_route(web: Web, body: bytes, kind: str) -> None:
    assert post(web, body, Content_Type=kind).status in (200, 400)
