import itertools
from collections.abc import Iterator
from decimal import Decimal

import pytest

from appliance.files.trades import Intake, Trade, convert
from appliance.files.wire import encode_submission
from appliance.model import MarketSpec
from tests.web_server import ADMIN_TOKEN, Web, serving


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
