import itertools
from collections.abc import Iterator
from decimal import Decimal

import pytest

from appliance.files.trades import Intake, Trade, convert
from appliance.files.wire import encode_submission
from appliance.model import MarketSpec
from tests.web_server import ADMIN_TOKEN, KEY, MINUTE_0, Web, serving


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with serving() as running:
        yield running


def test_a_submission_is_taken_as_it_is(web: Web) -> None:
    """Also when it is larger than what strangers may send."""
    row = Trade("GOLD", 1_700_000_000, Decimal(10), size=Decimal(1))
    table, specs = convert([row] * 2_000, Intake({}, 2 * 10**15, itertools.count()))
    body = encode_submission(table, specs, "import")
    assert len(body) > web.parts.settings.max_request_size
    answer = web.ask("/api/admin/trades", "POST", body=body, X_API_Key=ADMIN_TOKEN)
    assert (200, {"accepted": 2_000, "duplicates": 0}) == (answer.status, answer.json)
    ((stored, markets, source),) = web.ingest.submissions
    assert stored.equals(table)
    base = MarketSpec("GOLD", base="GOLD", quote="USD", price_decimals=2)
    assert ((base,), "import") == (markets, source)


def test_other_bodies_are_refused(web: Web) -> None:
    answer = web.ask("/api/admin/trades", "POST", body=b"nonsense", X_API_Key=ADMIN_TOKEN)
    assert answer.status == 400
    assert answer.json["error"]["message"].startswith("body must be an Arrow stream of trades")


def test_blocks_are_retracted_by_hand(web: Web) -> None:
    """The answer names what must be read again."""
    body = b'{"chain_id":1,"from_block":100}'
    answer = web.ask("/api/admin/retract", "POST", body=body, X_API_Key=ADMIN_TOKEN)
    assert (200, [(1, 100)]) == (answer.status, web.ingest.retractions)
    changed = {"symbol": "WETH/USDC", "from": MINUTE_0, "to": MINUTE_0 + 5}
    assert {"retracted": [changed]} == answer.json


@pytest.mark.parametrize("body", [b"", b"{}", b'{"chain_id":1,"from_block":-1}'])
def test_a_retraction_must_name_chain_and_block(web: Web, body: bytes) -> None:
    """Nothing is retracted by mistake."""
    web.ingest.retractions.clear()
    answer = web.ask("/api/admin/retract", "POST", body=body, X_API_Key=ADMIN_TOKEN)
    assert (400, []) == (answer.status, web.ingest.retractions)
    assert answer.json["error"]["message"].startswith("body must be like")
    assert 403 == web.ask("/api/admin/retract", "POST", body=body, X_API_Key=KEY).status
