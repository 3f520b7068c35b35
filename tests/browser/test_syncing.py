"""A chain that is being read, and bars that a reorg may still change."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from appliance.status import PartState, StatusReport
from tests.browser.visit import FakeStream, until
from tests.web_server import MINUTE_0, Web, serving

pytestmark = pytest.mark.browser
NUMBERS = {
    "block": 78_331_204,
    "head": 79_214_066,
    "behind": 882_862,
    "chain_id": 1,
    "final": 78_331_204,
    "time": MINUTE_0,
    "blocks_per_second": 1_226,
}
CHAIN = PartState("chain 1", "syncing", "about 12 min left", 0.628, NUMBERS)
FINAL = "window.__chart.candles().map(({ final }) => final)"


@pytest.fixture
def web(browser: Browser) -> Iterator[Web]:
    with serving() as running:
        yield running


def opened(browser: Browser, web: Web, events: list[dict[str, Any]]) -> Page:
    """Open the chart of GOLD; `events` come once its bars are subscribed."""
    page = browser.new_page(base_url=f"http://127.0.0.1:{web.port}", color_scheme="dark")

    def tell() -> None:
        web.datafeed.provisional_from = MINUTE_0 + 300  # who reads from now on learns the same

    FakeStream(page, events, tell if events else None)
    page.goto("/?symbol=GOLD&interval=1m")
    until(page, "window.__chart !== undefined")
    return page


def kline(start: int, **more: Any) -> dict[str, Any]:
    k = {"t": start * 1000, "i": "1m", "o": "11", "h": "12", "l": "10", "c": "11.5", "v": "1.25"}
    return {"e": "kline", "E": start * 1000, "s": "GOLD", "k": k | more}


def test_the_banner_says_which_block_of_how_many(browser: Browser, web: Web) -> None:
    """With the follower's own words about the time left, and a line as long as the share read."""

    async def report() -> StatusReport:
        return StatusReport(False, False, 6_100_000, 1226.0, 3, [CHAIN])

    web.status.report = report  # type: ignore[method-assign]
    page = opened(browser, web, [])
    page.wait_for_selector("#banner[data-kind=syncing] strong:text('Reading the chain')")
    assert page.inner_text("#banner b") == "block 78,331,204 of 79,214,066"
    words = "About 12 min left at 1,226 blocks/s. Charts fill in as blocks arrive."
    assert page.inner_text("#banner span") == words
    progress = "getComputedStyle(document.getElementById('banner')).getPropertyValue('--progress')"
    assert page.evaluate(progress) == "0.628"
    assert page.inner_text("#pill").split() == ["Syncing", "62", "%"]
    page.close()


def test_bars_are_provisional_until_the_stream_says_otherwise(browser: Browser, web: Web) -> None:
    """One closed bar that is final settles those before it, too."""
    web.datafeed.provisional_from = MINUTE_0
    page = opened(browser, web, [])
    assert page.evaluate(FINAL) == [False, False, False]
    assert page.inner_text("#legend .tag") == "provisional"
    page.close()
    page = opened(browser, web, [kline(MINUTE_0 + 60, x=True)])
    until(page, f"String({FINAL}) === 'true,true,false'")
    page.close()


def test_mark_and_funding_are_in_the_head(browser: Browser, web: Web) -> None:
    page = opened(browser, web, [])
    stats = page.eval_on_selector_all("#stats > div", "all => all.map(e => e.textContent)")
    assert stats[2:] == ["Mark10.63", "Funding−0.0125\u2009%", "Open interest212.5"]
    page.close()
