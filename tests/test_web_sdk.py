"""Modules for other people's pages: found, typed, importable from anywhere, and whole."""

import re
from collections.abc import Iterator
from urllib.parse import urljoin

import pytest

from appliance.web.sdk import sdk_file
from tests.web_server import Web, serving

ENTRIES = ("/sdk/datafeed.js", "/sdk/datafeed.global.js", "/sdk/chart.js")
_IMPORT = re.compile(r'(?:from "|import "|URL\(")(\.{1,2}/[^"]+|datafeed\.js)"')


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with serving() as running:
        yield running


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_import_leads_to_a_script(web: Web, entry: str) -> None:
    """Over all modules that a page loads with this one; each may be had by pages of any origin."""
    asked, waiting = set[str](), [entry]
    while waiting:
        path = waiting.pop()
        asked.add(path)
        answer = web.ask(path, Origin="https://dex.example")
        headers = answer.headers
        assert (200, "*") == (answer.status, headers["access-control-allow-origin"]), path
        assert headers["content-type"] == "text/javascript; charset=utf-8", path
        assert headers["cache-control"] == "no-cache"
        code = re.sub(r"/\*.*?\*/", "", answer.body.decode(), flags=re.DOTALL)
        waiting += {urljoin(path, found) for found in _IMPORT.findall(code)} - asked
    assert "/static/js/stream.js" in asked


def test_modules_are_packed_for_who_unpacks(web: Web) -> None:
    """Fewer than half the bytes, and each form has a tag of its own."""
    plain, small = (web.ask("/sdk/chart.js", Accept_Encoding=e) for e in ("identity", "gzip"))
    assert "gzip" == small.headers["content-encoding"]
    assert "content-encoding" not in plain.headers
    assert plain.headers["etag"] != small.headers["etag"]
    assert "Accept-Encoding" == plain.headers["vary"] == small.headers["vary"]
    assert int(small.headers["content-length"]) < len(plain.body) / 2


def test_a_module_that_is_held_already_is_not_sent_again(web: Web) -> None:
    tag = web.ask("/sdk/datafeed.js").headers["etag"]
    assert web.ask("/sdk/datafeed.js", If_None_Match=tag).status == 304


def test_declarations_are_text_to_copy(web: Web) -> None:
    for name in ("datafeed", "chart"):
        answer = web.ask(f"/sdk/types/{name}.d.ts")
        assert (200, "text/plain; charset=utf-8") == (
            answer.status,
            answer.headers["content-type"],
        )


@pytest.mark.parametrize("path", ["", "types", "nothing.js", "../js/main.js", "/etc/passwd", "\0"])
def test_nothing_else_is_found(path: str) -> None:
    assert sdk_file(path) is None
