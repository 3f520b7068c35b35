"""`<appliance-chart>` in pages of another origin."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, WebSocket

from tests.browser.foreign import Line, Site
from tests.browser.visit import ADMIN_KEY

pytestmark = pytest.mark.browser
AXE = Path(__file__).parent.parent / "js/node_modules/axe-core/axe.min.js"
HEAD = '<!doctype html><script type="module" src="{api}/sdk/chart.js"></script>'
CHART = "document.querySelector('appliance-chart')"
READY = f"{CHART}.state === 'ready' && ['live', 'demo'].includes({CHART}.dataset.connection)"
TEXT = f"{CHART}.shadowRoot.textContent"


class Guest(Site):
    """A page of somebody else, with what it complains about and the sockets it opens."""

    def __init__(self) -> None:
        super().__init__()
        self.complaints: list[str] = []
        self.sockets: list[WebSocket] = []

    def attend(self, page: Page) -> Page:
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("websocket", self._count)
        return page

    def _count(self, socket: WebSocket) -> None:
        self.sockets.append(socket)

    def show(self, page: Page, api: str, body: str) -> None:
        self.pages["/"] = HEAD.format(api=api) + body
        page.goto(f"{self.origin}/")


@pytest.fixture
def guest() -> Iterator[Guest]:
    with Guest().serving() as site:
        assert isinstance(site, Guest)
        yield site
        assert [] == site.complaints


@pytest.fixture
def page(browser: Browser, guest: Guest) -> Iterator[Page]:
    page = guest.attend(browser.new_page())
    yield page
    page.close()


def shown(page: Page) -> dict[int, dict[str, Any]]:
    """Return the bars that are drawn, but for the last, which may be another one by now."""
    bars = page.evaluate(f"{CHART}.bars")
    return {bar.pop("time"): bar for bar in bars[:-1]}


def stored(page: Page, server: str, interval: str, span: tuple[int, int]) -> dict[int, Any]:
    """Return what the server answers for these seconds, both included."""
    query: dict[str, str | float | bool] = {"symbol": "GOLD", "timeframe": interval}
    query |= {"limit": 10_000, "from": span[0], "to": span[1] + 1}
    rows = page.request.get(f"{server}/api/lightweight/ohlcv", params=query).json()["data"]
    return {row.pop("time"): {"final": True, **row} for row in rows}


def assert_stored(page: Page, server: str, interval: str) -> None:
    """What is drawn is what the server has, once what was missed has been read."""
    for _ in range(20):
        mine = shown(page)
        theirs = stored(page, server, interval, (min(mine), max(mine)))
        if mine.keys() == theirs.keys() and all(
            bar == pytest.approx(theirs[time], rel=1e-9) for time, bar in mine.items()
        ):
            return
        page.wait_for_timeout(250)
    assert mine == theirs


def test_charts_of_another_origin_are_live_on_one_socket(
    page: Page, guest: Guest, server: str
) -> None:
    """Each with its own market, interval and theme, and with the attribution in sight."""
    body = """<appliance-chart symbol="gold" interval="1s" theme="dark"></appliance-chart>
    <appliance-chart symbol="BTC" theme="light" style="height: 300px"></appliance-chart>"""
    guest.show(page, server, body)
    page.wait_for_function(READY)
    last = page.evaluate(f"{CHART}.bars.at(-1).time")
    page.wait_for_function(f"{CHART}.bars.at(-1).time > {last + 2}")
    assert_stored(page, server, "1s")
    assert len(guest.sockets) == 1
    link = page.locator("appliance-chart a", has_text="Charts by TradingView")
    assert [link.nth(n).is_visible() for n in range(link.count())] == [True, True]
    notice = link.first.get_attribute("title") or ""
    assert "TradingView Lightweight Charts™, Copyright (c) 2025 TradingView, Inc." in notice
    grounds = page.evaluate(
        "[...document.querySelectorAll('appliance-chart')]"
        ".map((element) => element.chart.options().layout.background.color)"
    )
    assert grounds == ["rgb(13, 16, 17)", "rgb(253, 252, 250)"]
    heights = page.locator("appliance-chart .canvas").evaluate_all(
        "all => all.map((canvas) => canvas.querySelector('table').clientHeight)"
    )
    assert heights[0] == heights[1] + 100


def test_it_reads_to_everybody(page: Page, guest: Guest, server: str) -> None:
    """Clean by axe-core, ready or failed; arrow keys walk the bars and say them."""
    body = """<main><appliance-chart symbol="GOLD" theme="dark"></appliance-chart>
    <appliance-chart symbol="NOPE" theme="light"></appliance-chart></main>"""
    guest.show(page, server, body)
    page.wait_for_function(READY)
    if not AXE.exists():
        pytest.skip("axe-core is not installed; run npm ci in tests/js")
    page.add_script_tag(path=AXE)
    include = "{ include: [['appliance-chart']] }"
    found = page.evaluate(f"axe.run({include}).then(({{ violations }}) => violations)")
    assert [] == [(each["id"], each["nodes"][0]["html"]) for each in found]
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    said = page.evaluate(f"{CHART}.shadowRoot.querySelector('[aria-live]').textContent")
    assert re.search(r"O [\d,.]+ H [\d,.]+ L [\d,.]+ C [\d,.]+.*Volume", said)


def test_attributes_and_properties_may_change_at_any_time(
    page: Page, guest: Guest, server: str
) -> None:
    """Market and interval, theme, colours, size, and a place in the page."""
    guest.show(page, server, '<appliance-chart symbol="GOLD"></appliance-chart><main></main>')
    page.wait_for_function(READY)
    page.evaluate(f"Object.assign({CHART}, {{ symbol: 'eth', interval: '5m', theme: 'dark' }})")
    page.wait_for_function(f"{TEXT}.includes('ETH') && {READY}")
    times = page.evaluate(f"{CHART}.bars.map(({{ time }}) => time)")
    assert all(time % 300 == 0 for time in times)
    assert "5m" in page.evaluate(TEXT)
    page.evaluate(f"{CHART}.style.setProperty('--chart-screen', 'rgb(1, 2, 3)')")
    ground = f"{CHART}.chart.options().layout.background.color"
    page.wait_for_function(f"{ground} === 'rgb(1, 2, 3)'")
    page.evaluate(f"{CHART}.style.width = '500px'")
    page.wait_for_function(f"{CHART}.shadowRoot.querySelector('table').clientWidth === 500")
    page.evaluate(f"window.before = {CHART}.chart")
    page.evaluate(f"document.querySelector('main').append({CHART})")
    page.wait_for_timeout(50)
    assert page.evaluate(f"window.before === {CHART}.chart")


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ('symbol="<b>NOPE"', ["No chart of <b>NOPE", "was '<b>NOPE' (404)"]),
        ('symbol="GOLD" interval="soon"', ["interval must be like 1m or 4h, was 'soon'"]),
        ("", ["symbol must be given"]),
        ('symbol="GOLD" api="charts.example"', ["api must be like", "was 'charts.example'"]),
        ('symbol="GOLD" api="http://127.0.0.1:1"', ["No charts at 127.0.0.1:1", "tried again"]),
        ('symbol="GOLD" api="/nowhere"', ["No charts at", "404", "tried again"]),
    ],
)
def test_what_cannot_be_shown_says_why_and_recovers(
    page: Page, guest: Guest, server: str, attributes: str, words: list[str]
) -> None:
    """In the chart's place, and in an event; right attributes bring the chart."""
    guest.show(page, server, f"<appliance-chart {attributes}></appliance-chart>")
    page.wait_for_function(f"{CHART}.state === 'error'")
    text = page.evaluate(TEXT)
    assert all(word in text for word in words), text
    assert page.locator("appliance-chart b b").count() == 0
    page.evaluate(
        f"""() => {{
            window.states = [];
            const chart = {CHART};
            chart.addEventListener("statechange", (event) => states.push(event.detail.state));
            chart.removeAttribute("api");
            chart.interval = "1m";
            chart.symbol = "GOLD";
        }}"""
    )
    page.wait_for_function(READY)
    assert page.evaluate("states") == ["loading", "ready"]


def test_a_line_that_is_cut_is_said_and_loses_no_bar(page: Page, guest: Guest, server: str) -> None:
    with Line(urlsplit(server).port or 0).laid() as line:
        body = '<appliance-chart symbol="GOLD" interval="1s"></appliance-chart>'
        guest.show(page, line.origin, body)
        page.wait_for_function(READY)
        line.cut()
        page.wait_for_function(f"{CHART}.dataset.connection === 'reconnecting'")
        page.wait_for_timeout(2500)
        line.mend()
        page.wait_for_function(READY, timeout=20_000)
        last = page.evaluate(f"{CHART}.bars.at(-1).time")
        page.wait_for_function(f"{CHART}.bars.at(-1).time > {last + 1}")
        assert_stored(page, server, "1s")


def test_a_reorg_shows_its_bars_without_a_reload(page: Page, guest: Guest, server: str) -> None:
    guest.show(page, server, '<appliance-chart symbol="GOLD" interval="1s"></appliance-chart>')
    page.wait_for_function(READY)
    before = shown(page)
    headers = {"X-API-Key": ADMIN_KEY}
    answer = page.request.post(f"{server}/api/admin/demo/reorg?depth=20", headers=headers)
    first = answer.json()["from_block"]
    known = {time: bar["close"] for time, bar in before.items() if time >= first}
    assert known
    page.wait_for_function(
        """(known) => document.querySelector("appliance-chart").bars
            .some(({ time, close }) => time in known && known[time] !== close)""",
        arg={str(time): close for time, close in known.items()},
    )
    page.wait_for_timeout(1500)
    assert_stored(page, server, "1s")


def test_a_chart_that_is_taken_out_leaves_nothing_behind(
    page: Page, guest: Guest, server: str
) -> None:
    """Its socket is given back some seconds later; put in again, it is live again."""
    guest.show(page, server, '<appliance-chart symbol="GOLD"></appliance-chart>')
    page.wait_for_function(READY)
    page.evaluate(f"window.chart = {CHART}; chart.remove()")
    page.wait_for_timeout(6000)
    assert [socket.is_closed() for socket in guest.sockets] == [True]
    assert page.evaluate("[chart.chart, chart.bars]") == [None, []]
    page.evaluate("document.body.append(chart)")
    page.wait_for_function(READY)
    assert len(guest.sockets) == 2
    assert page.locator("appliance-chart a").count() == 1
