import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance import resources
from appliance.errors import Retryable
from appliance.interval import OFFERED
from appliance.store.catalogue import Catalogue
from appliance.web.dashboard import script_safe
from appliance.web.files import SHEETS, static_file, without_comments
from tests.web_server import MINUTE_0, Web, serving


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with serving() as running:
        yield running


def bootstrap(web: Web, query: str = "") -> Any:
    return bootstrap_of(web.ask(f"/{query}").body.decode())


def bootstrap_of(page: str) -> Any:
    found = re.search(r'<script type="application/json" id="bootstrap">(.*?)</script>', page)
    assert found is not None
    return msgspec.json.decode(found[1])


def test_the_page_carries_its_first_data(web: Web) -> None:
    """Candles are on screen before the first request."""
    data = bootstrap(web, "?symbol=gold&interval=1m")
    assert ("GOLD", "1m") == (data["symbol"], data["interval"])
    assert [MINUTE_0, MINUTE_0 + 60, MINUTE_0 + 300] == data["candles"]["time"]
    assert ["GOLD", "TINY", "WETH/USDC"] == [row["symbol"] for row in data["markets"]]
    assert ["1000000000000001", "1000000000000000"] == [t["sequence"] for t in data["trades"]]
    assert (list(OFFERED), "ready") == (data["intervals"], data["status"]["status"])


@pytest.mark.parametrize(
    ("query", "symbol", "interval"),
    [
        ("", "GOLD", "1m"),
        ("?symbol=gold&interval=soon", "GOLD", "1m"),
        ("?symbol=weth/usdc&interval=7H", "WETH/USDC", "7h"),
    ],
)
def test_links_outlive_intervals(web: Web, query: str, symbol: str, interval: str) -> None:
    """What is missing or not known is replaced: by the busiest market, by one minute."""
    data = bootstrap(web, query)
    assert (symbol, interval, None) == (data["symbol"], data["interval"], data["unknown"])
    assert symbol == data["market"]["symbol"]


@pytest.mark.parametrize("symbol", ["nope", "<script>alert(1)</script>"])
def test_another_market_is_not_taken_for_one_that_is_not_known(web: Web, symbol: str) -> None:
    data = bootstrap(web, f"?symbol={quote(symbol)}")
    assert (None, None, symbol) == (data["symbol"], data["market"], data["unknown"])
    assert ["GOLD", "TINY", "WETH/USDC"] == [row["symbol"] for row in data["markets"]]


def test_a_failing_store_does_not_keep_the_page_away(web: Web) -> None:
    """It says why, what was asked for, and how the server is."""
    web.datafeed.failure = Retryable("the store takes too long")
    answer = web.ask("/?symbol=weth/usdc&interval=5m")
    web.datafeed.failure = None
    assert answer.status == 503
    data = bootstrap_of(answer.body.decode())
    assert ("weth/usdc", None, "5m") == (data["asked"], data["symbol"], data["interval"])
    assert "the store takes too long (503)." == data["failure"]
    assert [] == data["markets"]


def test_the_chart_alone_is_for_frames_of_others(web: Web) -> None:
    answer = web.ask("/embed?symbol=gold&interval=5m&theme=light")
    data = bootstrap_of(answer.body.decode())
    assert ("GOLD", "5m", [], []) == tuple(
        data[name] for name in ("symbol", "interval", "markets", "trades")
    )
    assert b'data-theme="light"' in answer.body
    assert "frame-ancestors *" in answer.headers["content-security-policy"]
    assert "x-frame-options" not in answer.headers
    assert web.ask("/embed?theme=pink").status == 400
    with serving(embed_ancestors=("https://a.example", "https://b.example")) as strict:
        policy = strict.ask("/embed").headers["content-security-policy"]
        assert policy.endswith("frame-ancestors https://a.example https://b.example")
    with serving(embed_ancestors=()) as closed:
        headers = closed.ask("/embed").headers
        assert headers["content-security-policy"].endswith("frame-ancestors 'none'")
        assert "frame-ancestors 'self'" in closed.ask("/").headers["content-security-policy"]


def test_without_markets_there_is_a_page() -> None:
    with serving() as web:
        object.__setattr__(web.parts.catalogue, "_by_id", {})
        object.__setattr__(web.parts.catalogue, "_by_name", {})
        assert isinstance(web.parts.catalogue, Catalogue)
        assert bootstrap(web)["symbol"] is None


def test_the_page_is_html_and_asked_for_again(web: Web) -> None:
    headers = web.ask("/").headers
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["cache-control"] == "no-cache"


@given(st.dictionaries(st.text(), st.text()))
def test_no_text_ends_the_script_tag(value: dict[str, str]) -> None:
    """And nothing is lost."""
    text = script_safe(value)
    assert not set("<>&\u2028\u2029") & set(text)
    assert value == msgspec.json.decode(text)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/static/js/navigation.js", "text/javascript; charset=utf-8"),
        ("/static/css/base.css", "text/css; charset=utf-8"),
        ("/static/vendor/lightweight-charts.mjs", "text/javascript; charset=utf-8"),
        ("/static/vendor/ibm-plex-sans.woff2", "font/woff2"),
        ("/static/mark.svg", "image/svg+xml"),
    ],
)
def test_files_have_their_type_and_a_tag(web: Web, path: str, kind: str) -> None:
    answer = web.ask(path)
    assert (200, kind) == (answer.status, answer.headers["content-type"])
    assert answer.headers["cache-control"] == "no-cache"
    assert web.ask(path, If_None_Match=answer.headers["etag"]).status == 304


@pytest.mark.parametrize("path", ["/", "/static/js/navigation.js", "/static/css/base.css"])
def test_pages_and_scripts_are_packed_for_who_unpacks(web: Web, path: str) -> None:
    """Under a tag of their own, so that no cache mixes the two."""
    plain, both = web.ask(path), web.ask(path, Accept_Encoding="br, gzip;q=0.5")
    assert "content-encoding" not in web.ask(path, Accept_Encoding="gzip;q=0").headers
    assert ("gzip", "Accept-Encoding") == (both.headers["content-encoding"], both.headers["vary"])
    assert int(both.headers["content-length"]) < int(plain.headers["content-length"])
    assert both.headers["etag"] != plain.headers["etag"]
    if path.endswith(".css"):  # the page tells the time, and scripts come without their comments
        assert both.body == plain.body


@pytest.mark.parametrize("path", ["/static/css/dashboard.css", "/static/css/frame.css"])
def test_the_sheets_of_a_page_come_as_one(web: Web, path: str) -> None:
    """Each there is, in the order in which they overrule each other."""
    names = SHEETS[path.removeprefix("/static/")]
    alone = [web.ask(f"/static/css/{name}.css").body for name in names]
    assert b"\n".join(alone) == web.ask(path).body == web.ask(path, Accept_Encoding="gzip").body


def test_no_sheet_is_left_out() -> None:
    folder = resources.folder("static") / "css"
    known = {name for names in SHEETS.values() for name in names}
    assert known == {file.stem for file in folder.glob("*.css")}


def test_packed_scripts_keep_their_lines() -> None:
    """Only what has a line to itself goes."""
    script = b'/**\n * a\n */\n\n  // b\nlet a = "//"; // c\n /** @type {B} */ (a).c; /* d\n */\n'
    kept = b'\n\n\n\n\nlet a = "//"; // c\n /** @type {B} */ (a).c; /* d\n */\n'
    assert kept == without_comments(script)


@pytest.mark.parametrize(
    "path",
    [
        *("../appliance/app.py", "js/../../setup.cfg", "/etc/passwd", "js", "", "nothing.js"),
        *("js/\0", "%2e%2e/setup.cfg", "js/x" * 90),
    ],
)
def test_only_files_below_static_are_served(path: str) -> None:
    assert static_file(path) is None


@pytest.mark.parametrize(
    "path",
    [
        "/static/%2e%2e/setup.cfg",
        "/static/..%2fsetup.cfg",
        "/static/js/%2e%2e%2f%2e%2e%2fsetup.cfg",
        "/static/%2fetc/passwd",
        "/static/%00",
        "/static/%ff",
        "/static/",
    ],
)
def test_encoded_paths_lead_nowhere_else(web: Web, path: str) -> None:
    received = web.raw(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert b" 404 " in received.split(b"\r\n")[0]
