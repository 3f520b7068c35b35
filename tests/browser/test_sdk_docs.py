"""The pages of docs/sdk.md, copied and opened as a reader would."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.foreign import Site

pytestmark = pytest.mark.browser
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "sdk.md"
PAGES = re.findall(r"^```html\n(.*?)^```", DOCUMENT.read_text("utf-8"), re.DOTALL | re.MULTILINE)
# In the place of the library that only its licensees have: it asks as much as the page needs.
LIBRARY = """
window.TradingView = { widget: class {
  constructor({ datafeed, symbol, interval }) {
    datafeed.onReady(() => datafeed.resolveSymbol(symbol, (market) => {
      const to = Math.floor(Date.now() / 1000) + 60;
      const period = { from: to - 6000, to, countBack: 100, firstDataRequest: true };
      datafeed.getBars(market, interval, period, (bars) => {
        window.bars = bars;
        datafeed.subscribeBars(market, interval, (bar) => { window.tick = bar; }, "1", () => {});
      }, console.error);
    }, console.error));
  }
} };
"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    errors: list[str] = []
    page = browser.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert [] == errors


def opened(page: Page, server: str, body: str) -> Iterator[Page]:
    with Site().serving() as site:
        site.pages["/"] = body.replace("https://charts.example", server)
        site.pages["/charting_library/charting_library.standalone.js"] = LIBRARY
        page.goto(f"{site.origin}/")
        yield page


def test_the_page_with_the_element_shows_a_chart(page: Page, server: str) -> None:
    for shown in opened(page, server, PAGES[0]):
        shown.wait_for_function("document.querySelector('appliance-chart').state === 'ready'")


@pytest.mark.parametrize("body", PAGES[1:])
def test_the_pages_with_a_widget_feed_it(page: Page, server: str, body: str) -> None:
    assert len(PAGES) == 3
    for shown in opened(page, server, body):
        shown.wait_for_function("window.bars?.length === 100 && window.tick")
        assert shown.evaluate("tick.time >= bars.at(-1).time")
