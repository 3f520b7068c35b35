"""What breaks charts elsewhere: wrong clocks, tiny prices, thousands of markets, years of bars."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from playwright.sync_api import Browser

from tests.browser.conftest import served
from tests.browser.visit import ADMIN_KEY, CHART, Visit

pytestmark = pytest.mark.browser
MARKETS = 4_997
BARS = 250_000
NOW = int(time.time())
START = (NOW - BARS * 60) // 60 * 60


def post(url: str, trades: list[dict[str, object]]) -> None:
    lines = "\n".join(json.dumps(trade) for trade in trades)
    headers = {"X-API-Key": ADMIN_KEY, "Content-Type": "application/x-ndjson"}
    answer = urllib3.request("POST", f"{url}/api/trades", body=lines, headers=headers, timeout=60)
    assert answer.status == 200, answer.data


@pytest.fixture(scope="module")
def odd_server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An appliance with 5,000 markets, one of which has a quarter of a million bars."""
    with served(tmp_path_factory.mktemp("odd"), "--no-demo") as url:
        few = [
            *(
                {"symbol": "TRIO", "time": NOW - 60 * i, "price": 7 + i, "size": 1}
                for i in range(3)
            ),
            *(
                {"symbol": "NANO", "time": NOW - 60 * i, "price": f"0.0000000012{i}", "size": 1}
                for i in range(5)
            ),
        ]
        many = [
            {"symbol": f"M{i:04}", "time": NOW - 100, "price": 1 + i, "size": 1 + i}
            for i in range(MARKETS)
        ]
        post(url, [*few, *many])
        for first in range(0, BARS, 50_000):
            post(
                url,
                [
                    {"symbol": "LONG", "time": START + 60 * i, "price": 100 + i % 97, "size": 1}
                    for i in range(first, first + 50_000)
                ],
            )
        yield url


@pytest.fixture
def odd(browser: Browser, odd_server: str) -> Iterator[Visit]:
    context = browser.new_context(
        base_url=odd_server, viewport={"width": 1440, "height": 900}, color_scheme="dark"
    )
    visit = Visit(context.new_page())
    yield visit
    assert [] == visit.complaints
    assert [] == visit.foreign
    context.close()


def test_three_trades_make_a_chart(odd: Visit) -> None:
    odd.open("/?symbol=TRIO")
    assert odd.chart("bars") == "3"
    assert odd.text("#price") == "7.00"


def test_a_tiny_price_has_all_its_digits(odd: Visit) -> None:
    """Folded where it is read, whole in the title, and on an axis that tells its marks apart."""
    odd.open("/?symbol=NANO")
    assert odd.text("#price") == "0.0₈120".replace("₈", "8")
    assert odd.page.get_attribute("#price", "title") == "0.00000000120"
    labels = "window.__chart.chart.panes()[0].getSeries()[0].priceFormatter().format"
    assert odd.page.evaluate(f"{labels}(0.00000000123)") == "0.0₈123"
    assert odd.page.evaluate(f"{labels}(0.00000000123) !== {labels}(0.00000000124)")


def test_thousands_of_markets_are_a_screenful(odd: Visit) -> None:
    """All can be reached, by scrolling, by sorting and by searching."""
    odd.open("/?symbol=TRIO")
    odd.until("document.getElementById('search').placeholder === 'Search 5,000 markets'")
    rows = "document.querySelectorAll('.market').length"
    height = "document.getElementById('market-rows').scrollHeight"
    odd.until(f"{height} >= {44 * (MARKETS + 3)}")
    assert odd.page.evaluate(rows) < 80
    odd.page.evaluate("document.getElementById('market-rows').scrollTo(0, 1e9)")
    odd.until("[...document.querySelectorAll('.market')].at(-1)?.offsetTop > 200_000")
    assert odd.page.evaluate(rows) < 80
    odd.page.click("[data-sort=symbol]")
    odd.until("document.querySelector('.market').dataset.symbol === 'LONG'")
    odd.page.keyboard.press("/")
    odd.page.keyboard.type("m4990")
    odd.until(f"{rows} === 1")
    odd.page.keyboard.press("Enter")
    odd.until(f"{CHART}.symbol === 'M4990' && {CHART}.state === 'ready'")


def test_a_quarter_of_a_million_bars_are_scrolled_back(odd: Visit) -> None:
    """Page after page, and the view still moves; then back to now in one step."""
    odd.open("/?symbol=LONG&interval=1m")
    deadline = time.monotonic() + 120
    while int(odd.chart("bars")) < BARS:
        odd.show_bars(0, 120)
        assert time.monotonic() < deadline, odd.chart("bars")
    first = odd.page.evaluate("window.__chart.candles()[0].time")
    assert first == START
    started = time.monotonic()
    odd.show_bars(BARS - 200, BARS)
    assert time.monotonic() - started < 5
    assert odd.visible_times()[1] == int(odd.chart("lastTime"))


def test_a_wrong_clock_moves_no_bar(visit: Visit) -> None:
    """The viewer's clock is an hour ahead: the countdown is the server's."""
    visit.page.clock.install(time=NOW + 3_600)
    visit.open("/?symbol=GOLD&interval=1h")
    visit.page.clock.run_for(1_500)
    clock = visit.text("#clock")
    shown = int(clock[3:5])
    assert abs(shown - time.gmtime().tm_min) in (0, 1, 59)
    assert int(clock[:2]) == time.gmtime().tm_hour or shown in (0, 59)
    assert "forming" in visit.text("#legend")


def test_a_restarted_server_is_taken_up_again(browser: Browser, tmp_path: Path) -> None:
    """Without a reload: what was on screen stays, what comes then joins it."""
    trade = {"symbol": "REST", "time": NOW - 120, "price": 5, "size": 1}
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        visit = Visit(context.new_page())
        with served(tmp_path, "--no-demo") as url:
            post(url, [trade])
            visit.open(f"{url}/?symbol=REST&interval=1m")
            port = int(url.rpartition(":")[2])
        visit.until(f"{CHART}.connection === 'reconnecting'")
        assert visit.chart("bars") == "1"
        with served(tmp_path, "--no-demo", port=port) as url:
            visit.until(f"{CHART}.connection === 'live'", 20)
            post(url, [trade | {"time": NOW - 30, "price": 6}])
            visit.until(f"{CHART}.bars === '2' && {CHART}.lastClose === '6'")
            assert visit.page.evaluate("performance.getEntriesByType('navigation').length") == 1
