"""The chart in a frame of another origin's page."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Frame, Page

from tests.browser.visit import until
from tests.web_server import serving

pytestmark = pytest.mark.browser


class Host(ThreadingHTTPServer):
    """Another site: one page with one frame."""

    address = ""

    @property
    def url(self) -> str:
        return f"http://localhost:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    server: Host

    def do_GET(self) -> None:
        body = f'<!doctype html><iframe width="640" height="360" src="{self.server.address}">'
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with Host(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join(10)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(color_scheme="light")
    yield context.new_page()
    context.close()


def framed(page: Page) -> Frame:
    return page.frames[-1]


def test_a_chart_lives_in_a_page_of_another_origin(server: str, host: Host, page: Page) -> None:
    """Its own look, its own data, moving; it asks nobody but its own server."""
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    host.address = f"{server}/embed?symbol=GOLD&amp;interval=1s&amp;theme=dark"
    page.goto(host.url)
    frame = framed(page)
    frame.wait_for_selector("#chart[data-state=ready][data-connection=live]")
    data = "document.getElementById('chart').dataset"
    assert frame.evaluate(f"[{data}.symbol, {data}.interval]") == ["GOLD", "1s"]
    before = frame.evaluate(f"{data}.lastTime")
    frame.wait_for_selector(f"#chart:not([data-last-time='{before}'])")
    ground = "window.__chart.chart.options().layout.background.color"
    assert frame.evaluate(ground) == "rgb(13, 16, 17)"
    assert frame.is_visible("text=Charts by TradingView")
    assert frame.inner_text("#embed-symbol") == "GOLD"
    assert not frame.evaluate("document.documentElement.scrollHeight > innerHeight")
    origins = {urlsplit(url).netloc for url in asked}
    assert origins == {urlsplit(server).netloc, urlsplit(host.url).netloc}
    assert [] == [text for text in complaints if "favicon" not in text and "404" not in text]


def test_only_origins_that_may_frame_it_do(host: Host, page: Page) -> None:
    """EMBED_ANCESTORS names them; the dashboard itself is never framed by others."""
    with serving(embed_ancestors=("https://a.example",)) as web:
        for path in ("/embed?symbol=GOLD", "/?symbol=GOLD"):
            host.address = f"http://127.0.0.1:{web.port}{path}"
            page.goto(host.url)
            page.wait_for_timeout(300)
            assert framed(page).locator("#chart").count() == 0
    with serving(embed_ancestors=(f"http://localhost:{host.server_port}",)) as web:
        host.address = f"http://127.0.0.1:{web.port}/embed?symbol=NOPE"
        page.goto(host.url)
        framed(page).wait_for_selector("#chart[data-state=error]")
        assert "No market called “NOPE”" in framed(page).inner_text("#chart-state")


def test_a_small_frame_keeps_its_words_apart(browser: Browser, server: str) -> None:
    """And is free of what axe-core finds."""
    context = browser.new_context(viewport={"width": 320, "height": 240}, base_url=server)
    page = context.new_page()
    page.goto("/embed?symbol=ETH&interval=5m&type=area")
    until(page, "document.getElementById('chart').dataset.state === 'ready'")
    kind = "window.__chart.chart.panes()[0].getSeries()[0].seriesType()"
    assert page.evaluate(kind) == "Area"
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    context.close()
