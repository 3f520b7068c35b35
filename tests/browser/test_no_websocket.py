"""Behind a proxy that lets no WebSocket through: the same bars, by server-sent events."""

import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import served
from tests.browser.test_reorg import settled
from tests.browser.test_robust import NOW, post
from tests.browser.visit import CHART, Visit

pytestmark = pytest.mark.browser


@pytest.fixture
def barred(visit: Visit) -> Visit:
    """A page whose WebSockets are closed before anything comes through."""
    visit.page.route_web_socket("**/ws", lambda socket: socket.close())
    return visit


def test_bars_move_and_are_revised(barred: Visit) -> None:
    barred.open("/?symbol=GOLD&interval=1s")
    barred.until(f"{CHART}.connection === 'live'", 20)
    seen = barred.chart("lastTime")
    barred.until(f"Number({CHART}.lastTime) > {seen}")
    first, last = barred.reorganize(100)
    settled(barred, "1s", first - 60, last)


def test_another_market_is_followed_over_the_same_line(barred: Visit) -> None:
    barred.open("/?symbol=GOLD&interval=1s")
    barred.until(f"{CHART}.connection === 'live'", 20)
    for symbol in ("ETH", "GOLD"):
        barred.page.click(f".market[data-symbol={symbol}]")
        barred.until(f"{CHART}.symbol === '{symbol}' && {CHART}.state === 'ready'")
        seen = barred.chart("lastTime")
        barred.until(f"Number({CHART}.lastTime) > {seen}")
    now = int(time.time())
    settled(barred, "1s", now - 120, now - 10)


def test_a_restarted_server_is_taken_up_again(browser: Browser, tmp_path: Path) -> None:
    trade = {"symbol": "REST", "time": NOW - 120, "price": 5, "size": 1}
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        visit = Visit(context.new_page())
        visit.page.route_web_socket("**/ws", lambda socket: socket.close())
        with served(tmp_path, "--no-demo") as url:
            post(url, [trade])
            visit.open(f"{url}/?symbol=REST&interval=1m")
            visit.until(f"{CHART}.connection === 'live'", 20)
            post(url, [trade | {"time": NOW - 90, "price": 7}])
            visit.until(f"{CHART}.lastClose === '7'")
            port = int(url.rpartition(":")[2])
        visit.until(f"{CHART}.connection === 'reconnecting'")
        with served(tmp_path, "--no-demo", port=port) as url:
            post(url, [trade | {"time": NOW - 30, "price": 6}])
            visit.until(f"{CHART}.connection === 'live'", 20)
            visit.until(f"{CHART}.lastClose === '6'")
