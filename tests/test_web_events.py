import gzip
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from tests.chain_logs import ALICE, VAMM
from tests.pushing import (
    OTHER,
    Event,
    Pushing,
    burst,
    closed_at,
    expected,
    funding_at,
    marks,
    opened_at,
    pushing,
    stored,
    terms,
    vamm_terms,
)
from tests.web_server import KEY, Answer

NDJSON = "application/x-ndjson"
NONE = {"accepted": 0, "duplicates": 0, "marks": 0, "ignored": 0, "followed": 0}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pushing]:
    chains = [terms(vamm_terms(), chain_id=1)]
    with pushing(tmp_path_factory.mktemp("events"), chains) as running:
        yield running


@pytest.fixture(autouse=True)
def no_commits(web: Pushing) -> None:
    web.commits.clear()


def post(web: Pushing, body: bytes, **headers: str) -> Answer:
    return web.ask("/api/events", "POST", body=body, X_API_Key=KEY, **headers)


def batch(*events: Any) -> bytes:
    return msgspec.json.encode({"events": events})


def fresh(block: int, **changed: Any) -> Event:
    return opened_at((block, 1), block) | changed


def test_events_of_a_burst_become_the_rows_of_their_logs(web: Pushing) -> None:
    """With integers that no double holds; and once only."""
    pushed = burst(20, seed=11)
    wanted = expected(pushed)
    answer = post(web, gzip.compress(batch(*pushed)), Content_Encoding="gzip")
    trades = sum(kind != "mark" for kind in wanted["kind"].to_pylist())
    counts = NONE | {"accepted": trades, "marks": len(pushed) - trades}
    assert (200, counts) == (answer.status, answer.json)
    assert "no-store" == answer.headers["cache-control"]
    assert wanted.equals(stored(web.commits))
    web.commits.clear()
    again = NONE | {"duplicates": trades, "marks": len(pushed) - trades}
    assert again == post(web, batch(*pushed)).json
    assert [] == web.commits
    assert len(marks(web.store)) == sum(e["eventType"] == "FundingUpdated" for e in pushed)


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        (lambda events: batch(*events), ""),
        (msgspec.json.encode, "application/json"),
        (lambda events: b"\n".join(map(msgspec.json.encode, events)), NDJSON),
        (lambda events: b"\r\n\n".join(map(msgspec.json.encode, events)) + b"\n", "x/jsonl"),
    ],
)
def test_events_are_taken_in_every_form(web: Pushing, form: Any, kind: str) -> None:
    number = 1_000 + 10 * len(kind)
    answer = post(web, form([fresh(number), fresh(number + 1)]), Content_Type=kind)
    assert (200, NONE | {"accepted": 2}) == (answer.status, answer.json)


def test_one_event_may_come_alone(web: Pushing) -> None:
    answer = post(web, msgspec.json.encode(fresh(2_000)))
    assert (200, NONE | {"accepted": 1}) == (answer.status, answer.json)


def test_the_flat_form_of_the_original_design(web: Pushing) -> None:
    """Without a log index the id is made of transaction, event and position."""
    flat = {
        "eventType": "PositionOpened",
        "contractAddress": OTHER,
        "transactionHash": "0x" + "Ab" * 32,
        "blockNumber": 5,
        "timestamp": 1_700_000_000,
        "user": ALICE,
        "positionId": "12",
        "isLong": False,
        "size": "3000000000000000000000",
        "price": "2000500000000000000000",
        "symbol": "silver",
    }
    closing = flat | {"eventType": "PositionClosed", "timestamp": 1_700_000_060}
    del closing["isLong"]
    for one in (flat, closing):
        assert NONE | {"accepted": 1} == post(web, msgspec.json.encode(one)).json
        assert NONE | {"duplicates": 1} == post(web, msgspec.json.encode(one)).json
    first, second = stored(web.commits).to_pylist()
    transaction = "0x" + "ab" * 32
    assert (f"{transaction}:PositionOpened:12", "sell", 2000.5, ALICE) == (
        first["trade_id"],
        first["side"],
        first["execution_price"],
        first["trader"],
    )
    assert (Decimal(3000), Decimal("1.499625093726568357")) == (
        first["quote_volume"],
        first["base_volume"],
    )
    assert (f"{transaction}:PositionClosed:12", "buy") == (second["trade_id"], second["side"])
    answer = post(web, msgspec.json.encode(flat | {"price": "3000000000000000000"}))
    assert (409, "conflict") == (answer.status, answer.json["error"]["code"])
    assert f"'{transaction}:PositionOpened:12'" in answer.json["error"]["message"]


def test_numbers_are_exact_in_every_spelling(web: Pushing) -> None:
    """2000500000000000000001 is no double; 2.0005e+21 is what JavaScript makes of its neighbour."""
    number = 2_000_500_000_000_000_000_001
    price = '{"type":"BigNumber","hex":"0xde0b6b3a7640000"}'
    args = f'"user":"{ALICE}","isLong":true,"size":%s,"price":{price}'
    spellings = [str(number), f'"{number}"', f'"{hex(number)}"', "2.0005e+21"]
    lines = [
        f'{{"contractAddress":"{VAMM}","eventType":"PositionOpened","blockNumber":{3000 + i},'
        f'"logIndex":0,"timestamp":1700000000,"args":{{"positionId":{i},{args % text}}}}}'
        for i, text in enumerate(spellings)
    ]
    assert NONE | {"accepted": 4} == post(web, "\n".join(lines).encode(), Content_Type=NDJSON).json
    sizes = [int.from_bytes(raw, "little") for raw in stored(web.commits)["raw_size"].to_pylist()]
    assert [number, number, number, number - 1] == sizes


def test_an_empty_batch_stores_nothing(web: Pushing) -> None:
    assert NONE == post(web, batch()).json
    assert NONE | {"ignored": 1} == post(web, batch(fresh(1, eventType="Approval"))).json
    assert [] == web.commits


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (b"", "", 'body must be one event, {"events":[…]} or, as NDJSON, one event a line, was'),
        (b"\xff", "", "body must be one event"),
        (b"5", "", "body must be one event"),
        (b'{"events":5}', "", "body must be one event"),
        (b'{"a":NaN}', "", "body must be one event"),
        (b'{"a":' + b"9" * 5_000 + b"}", "", "body must be one event"),
        (b"[" * 50_000, "", "body must be one event"),
        (b'{"a":1}\n{', NDJSON, "body must be one event"),
        (b"[5]", "", "events[0] must be an object, was 5"),
        (b"{}", "", "blockNumber"),
        (batch(fresh(1), {}), "", "events[1]."),
        (batch(fresh(1), fresh(2, timestamp="x")), "", "events[1].timestamp must be unix seconds"),
        (batch(fresh(1), fresh(2, args={})), "", "events[1].args.positionId must be given"),
        (
            batch(fresh(1, args=fresh(1)["args"] | {"size": "1.5"})),
            "",
            "events[0].args.size must be a whole number of type uint256 as the contract emits it",
        ),
        (batch(fresh(1, logIndex=None)), "", "events[0].logIndex must be given, as GOLD is"),
        (
            batch(fresh(4_000), fresh(4_001, args=fresh(1)["args"] | {"price": 0})),
            "",
            "events[1] cannot be taken, PositionOpened: execution price must be above 0",
        ),
    ],
)
def test_one_bad_event_refuses_the_batch(
    web: Pushing, body: bytes, kind: str, message: str
) -> None:
    """With its index and the reason."""
    answer = post(web, body, Content_Type=kind)
    assert (400, []) == (answer.status, web.commits)
    if message != "blockNumber":
        assert answer.json["error"]["message"].startswith(message)


def test_a_field_of_one_event_alone_has_no_index(web: Pushing) -> None:
    answer = post(web, msgspec.json.encode(fresh(1, contractAddress="0x1")))
    assert "contractAddress" == answer.json["error"]["field"]


def test_the_size_is_limited(web: Pushing) -> None:
    answer = post(web, gzip.compress(b" " * 200_001), Content_Encoding="gzip")
    assert (413, "too_large") == (answer.status, answer.json["error"]["code"])


@pytest.mark.parametrize(
    ("key", "status"), [("", 401), ("no-key-0123456789", 401), ("read-key-0123456789", 403)]
)
def test_a_key_that_may_write_is_needed(web: Pushing, key: str, status: int) -> None:
    answer = web.ask("/api/events", "POST", body=batch(fresh(1)), X_API_Key=key)
    assert (status, []) == (answer.status, web.commits)


JUNK: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=9),
    st.sampled_from(["0x", "0x1", "0x" + "ab" * 20, "9" * 90, "1e5", [], {}, {"hex": "0x2"}]),
)
FIELDS = st.sampled_from(
    "contractAddress eventType blockNumber logIndex transactionHash timestamp args chainId "
    "symbol market decimals0 other".split()
)
ARGUMENTS = st.sampled_from("user positionId isLong size price leverage fee other".split())


@effort(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            st.dictionaries(FIELDS, JUNK, max_size=2), st.dictionaries(ARGUMENTS, JUNK, max_size=2)
        ),
        max_size=3,
    )
)
def test_no_batch_breaks_the_route(web: Pushing, changes: list[Any]) -> None:
    """Whatever is sent is taken whole, or refused as a whole."""
    web.commits.clear()
    sent = [
        {**fresh(9_000 + i), "args": fresh(9_000 + i)["args"] | args} | fields
        for i, (fields, args) in enumerate(changes)
    ]
    answer = post(web, batch(*sent))
    assert answer.status in (200, 400, 409)
    if answer.status == 200:
        assert len(sent) == sum(answer.json.values())
    else:
        assert [] == web.commits


@effort(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=80), st.sampled_from([NDJSON, "application/json", "x/y"]))
def test_no_body_breaks_the_route(web: Pushing, body: bytes, kind: str) -> None:
    assert post(web, body, Content_Type=kind).status in (200, 400)


def test_sides_and_funding_survive_a_restart(
    tmp_path_factory: pytest.TempPathFactory, web: Pushing
) -> None:
    """As do the names of markets, and that nothing is stored twice."""
    folder = tmp_path_factory.mktemp("again")
    web.store.close()  # one process holds one store
    with pushing(folder) as first:
        assert 200 == post(first, batch(funding_at(), fresh(100, symbol="GOLD"))).status
    with pushing(folder, auto_create_markets=False) as second:
        sent = [closed_at((200, 0), 100), fresh(100), funding_at()]
        counts = NONE | {"accepted": 1, "duplicates": 1, "marks": 1}
        assert counts == post(second, batch(*sent)).json
        assert ["sell"] == stored(second.commits)["side"].to_pylist()
        assert ["GOLD"] == [m.symbol for m in second.store.catalogue.all()]
        assert 1 == len(marks(second.store))
        answer = post(second, batch(fresh(1, contractAddress=OTHER)))
        assert (404, "unknown_symbol") == (answer.status, answer.json["error"]["code"])
