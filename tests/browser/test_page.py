"""The page around the chart: markets, themes, addresses, states, small screens."""

import json
from typing import Any

import pytest
from playwright.sync_api import Route

from tests.browser.visit import CHART, Visit

pytestmark = pytest.mark.browser


def test_the_policy_holds(visit: Visit) -> None:
    """The fixture fails on any violation; this visits everything that could cause one."""
    response = visit.page.goto("/")
    assert response is not None
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    visit.ready()
    for opener in ("#theme-button", "[aria-label='More intervals']", "#help-button"):
        visit.page.click(opener)
        visit.page.keyboard.press("Escape")


def test_demo_is_said_three_times(visit: Visit) -> None:
    """Banner, pill and watermark: nobody takes simulated prices for real ones."""
    visit.open()
    assert visit.page.is_visible("#banner >> text=Demo market")
    assert visit.page.text_content(".pill-word") == "Demo"
    assert visit.page.get_attribute("body", "data-demo") is not None


def test_search_filters_and_enter_opens(visit: Visit) -> None:
    """A letter typed anywhere searches."""
    visit.open()
    visit.page.keyboard.press("b")
    visit.page.keyboard.type("tc")
    assert ["BTC"] == visit.page.locator(".market-symbol").all_text_contents()
    visit.page.keyboard.press("Enter")
    visit.until(f"{CHART}.symbol === 'BTC' && {CHART}.state === 'ready'")
    assert "BTC" in visit.page.title()
    assert visit.page.get_attribute(".market[data-symbol=BTC]", "aria-current") == "true"


def test_the_list_sorts(visit: Visit) -> None:
    visit.open()
    rows = visit.page.locator(".market-symbol")
    visit.page.click("[data-sort=symbol]")
    assert sorted(rows.all_text_contents()) == rows.all_text_contents()
    visit.page.click("[data-sort=symbol]")
    assert sorted(rows.all_text_contents(), reverse=True) == rows.all_text_contents()


def test_addresses_lead_to_a_chart_and_back(visit: Visit) -> None:
    visit.open("/?symbol=ETH&interval=1h")
    assert ("ETH", "1h") == (visit.chart("symbol"), visit.chart("interval"))
    visit.page.click(".market[data-symbol=BTC]")
    visit.until(f"{CHART}.symbol === 'BTC'")
    visit.choose_interval("15m")
    assert visit.page.url.endswith("?symbol=BTC&interval=15m")
    visit.page.go_back()
    visit.until(f"{CHART}.interval === '1h' && {CHART}.symbol === 'BTC'")
    visit.page.go_back()
    visit.until(f"{CHART}.symbol === 'ETH' && {CHART}.state === 'ready'")


def test_any_interval_can_be_linked(visit: Visit) -> None:
    """The server computes 7 m bars on demand; the page takes them."""
    visit.open("/?symbol=GOLD&interval=7m")
    assert int(visit.chart("lastTime")) % 420 == 0


def test_the_theme_is_remembered(visit: Visit) -> None:
    visit.open()
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    dark = visit.page.evaluate(ground)
    visit.page.click("#theme-button")
    visit.page.click("text=Light")
    light = visit.page.evaluate(ground)
    assert dark != light
    visit.open()
    assert visit.page.evaluate(ground) == light
    colour = "window.__chart.chart.options().layout.background.color"
    assert visit.page.evaluate(colour) == "rgb(253, 252, 250)"
    visit.page.click("#theme-button")
    visit.page.click("text=As the system")
    assert visit.page.evaluate(ground) == dark


def test_a_cut_connection_returns_without_a_gap(visit: Visit) -> None:
    """It says Reconnecting, then catches up; no bar is missing, none is doubled."""
    sockets: list[Any] = []

    def forward(route: Any) -> None:
        route.connect_to_server()
        sockets.append(route)

    visit.page.route_web_socket("**/ws", forward)
    visit.open("/?symbol=GOLD&interval=1s")
    assert len(sockets) == 1
    sockets[0].close(code=1001, reason="shutdown")
    visit.until(f"{CHART}.connection === 'reconnecting'")
    visit.until(f"{CHART}.connection === 'live'")
    assert len(sockets) == 2
    before = visit.chart("lastTime")
    visit.until(f"{CHART}.lastTime > {before}")
    mine = {bar["time"]: bar for bar in visit.bars() if bar["time"] < int(before)}
    answer = visit.page.request.get("/api/lightweight/ohlcv?symbol=GOLD&timeframe=1s&limit=300")
    theirs = {b["time"]: b for b in answer.json()["data"] if b["time"] < int(before)}
    assert theirs.keys() <= mine.keys()
    assert [mine[t]["close"] for t in theirs] == [b["close"] for b in theirs.values()]


def test_an_error_says_what_failed_and_lets_one_try_again(visit: Visit) -> None:
    visit.open()
    body = {"success": False, "error": {"code": "store", "message": "store did not answer"}}

    def refuse(route: Route) -> None:
        route.fulfill(status=503, body=json.dumps(body), content_type="application/json")

    visit.page.route("**/api/lightweight/ohlcv*", refuse)
    visit.page.click(".market[data-symbol=ETH]")
    visit.until(f"{CHART}.state === 'error'")
    assert "store did not answer (503)" in (visit.page.text_content("#chart-state") or "")
    price = "document.getElementById('price').textContent"
    row = "document.querySelector('.market[data-symbol=ETH] .market-price').textContent"
    assert visit.page.evaluate(f"{price} === {row}")
    visit.page.unroute("**/api/lightweight/ohlcv*")
    visit.page.click("#chart-state >> text=Try again")
    visit.ready()
    # The browser itself reports the refused request; nothing else may complain.
    assert all("503" in text for text in visit.complaints)
    visit.complaints.clear()


def test_an_empty_store_says_what_will_come(empty_visit: Visit) -> None:
    empty_visit.page.goto("/")
    empty_visit.until(f"{CHART}.state === 'empty'")
    text = empty_visit.page.text_content("#chart-state") or ""
    for way in ("appliance import", "POST /api/trades", "DEMO=on"):
        assert way in text
    assert not empty_visit.page.is_visible("#banner")


def test_a_phone_has_tabs_and_never_scrolls_sideways(phone: Visit) -> None:
    phone.open()
    wide = "document.documentElement.scrollWidth > innerWidth"
    for tab, panel in (("Markets", "#market-rows"), ("Trades", "#tape-rows"), ("Chart", "#chart")):
        phone.page.tap(f"#tabs >> text={tab}")
        assert phone.page.is_visible(panel)
        assert not phone.page.evaluate(wide)
    phone.page.tap("#tabs >> text=Markets")
    phone.page.tap(".market[data-symbol=BTC]")
    phone.until(f"{CHART}.symbol === 'BTC' && {CHART}.state === 'ready'")
    assert phone.page.is_visible("#chart")


CUT_BUTTONS = """() => {
    const shown = (node) => node.checkVisibility({ visibilityProperty: true });
    const nodes = [...document.querySelectorAll(".bar button")].filter(shown);
    const place = (node) => node.getBoundingClientRect();
    const end = (node) => place(node.closest(".bar-tools") ?? document.body).right || innerWidth;
    const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1
        && a.top < b.bottom - 1 && b.top < a.bottom - 1;
    return nodes.filter((node, index) => place(node).right > end(node)
        || nodes.slice(index + 1).some((other) => meet(place(node), place(other))))
        .map((node) => node.id || node.textContent);
}"""


@pytest.mark.parametrize("symbol", ["A", "GOLD", "WRAPPED-STAKED-ETHER/USDC.E"])
def test_no_width_scrolls_sideways_or_cuts_a_button(visit: Visit, symbol: str) -> None:
    visit.open()
    visit.page.evaluate(
        "(name) => { document.getElementById('picker-symbol').textContent = name }", symbol
    )
    for width in (
        *range(320, 600, 40),
        *range(600, 1500, 50),
        599,
        819,
        820,
        899,
        1024,
        1199,
        1280,
    ):
        visit.page.set_viewport_size({"width": width, "height": 768})
        visit.page.evaluate("new Promise(requestAnimationFrame)")
        assert not visit.page.evaluate("document.documentElement.scrollWidth > innerWidth"), width
        assert [] == visit.page.evaluate(CUT_BUTTONS), width


def test_intervals_without_a_button_are_in_the_menu(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 640, "height": 768})
    visit.open("/?symbol=GOLD&interval=1m")
    assert ["1m"] == visit.page.eval_on_selector_all(
        ".interval[data-interval]",
        "all => all.filter((n) => n.offsetParent).map((n) => n.textContent)",
    )
    visit.page.click("#interval-more")
    visit.page.click("text=15 minutes")
    visit.until(f"{CHART}.interval === '15m' && {CHART}.state === 'ready'")


def test_sides_fold_and_stay_folded(visit: Visit) -> None:
    visit.open()
    for key, panel in (("[", "#markets"), ("]", "#tape")):
        visit.page.keyboard.press(key)
        assert not visit.page.is_visible(panel)
    visit.open()
    assert not visit.page.is_visible("#markets")


def test_a_hidden_page_catches_up(visit: Visit) -> None:
    """Nothing is drawn while nobody looks; what was missed is there at once afterwards."""
    visit.open("/?symbol=GOLD&interval=1s")
    hide = """(hidden) => {
        Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
        document.dispatchEvent(new Event('visibilitychange'));
    }"""
    visit.page.evaluate(hide, True)
    still = visit.chart("lastTime")
    visit.page.wait_for_timeout(2500)
    assert still == visit.chart("lastTime")
    visit.page.evaluate(hide, False)
    visit.until(f"{CHART}.lastTime > {still}")
