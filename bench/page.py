"""The dashboard's budgets, beside a bare page that draws as many candles with the chart library.

A headless Chromium on this machine opens the demo's page; both pages come from the same server.
Ten minutes of live data are played in half a minute, by whoever plays the stream's part.
"""

import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import Browser, Page, Route, WebSocketRoute, sync_playwright

BROWSER: Final = "/usr/bin/chromium-headless-shell"
ARGUMENTS: Final = ["--disable-dev-shm-usage", "--font-render-hinting=none", "--no-sandbox"]
SEEDED: Final = b'"name":"demo","state":"live"'
LOADS: Final = 7
BARS: Final = 5_000
FRAMES_S: Final = 5
UPDATES_PER_S: Final = 20
PLAYED: Final = 6_000
"""Ten minutes of ten messages a second."""
BARE: Final = """<!doctype html><body><div id="chart" style="width:960px;height:736px"></div>
<script type="module">
import { CandlestickSeries, HistogramSeries, createChart }
  from "/static/vendor/lightweight-charts.mjs";
const answer = await fetch("/api/lightweight/ohlcv?symbol=GOLD&timeframe=1m&limit=500");
const { data } = await answer.json();
const chart = createChart(document.getElementById("chart"));
chart.addSeries(CandlestickSeries).setData(data);
chart.addSeries(HistogramSeries, {}, 1).setData(
  data.map(({ time, volume }) => ({ time, value: volume })));
performance.mark("first-candles");
window.done = true;
</script>"""
FRAMES: Final = """async (seconds) => {
    const until = performance.now() + seconds * 1000;
    let frames = 0;
    const scale = window.__chart?.chart.timeScale();
    while (performance.now() < until) {
        await new Promise(requestAnimationFrame);
        frames++;
        scale?.scrollToPosition(-(frames % 200), false);
    }
    return frames / seconds;
}"""


def run(folder: Path) -> None:
    """Print the figures."""
    if not Path(BROWSER).exists():
        print("needs chromium-headless-shell: apt-get install chromium-headless-shell")
        return
    with _serving(folder) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=ARGUMENTS)
        _loads(browser, url)
        _sizes(browser, url)
        _frames(browser, url)
        _heap(browser, url)
        browser.close()


@contextmanager
def _serving(folder: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "appliance", "serve", "--demo", "--port", str(port)]
    server = subprocess.Popen(
        [*command, "--data-dir", str(folder / "data")], stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        while not _is_seeded(f"{url}/health/ready"):
            time.sleep(0.5)
        yield url
    finally:
        server.terminate()
        server.wait()


def _is_seeded(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:  # noqa: S310 - our own server
            return SEEDED in answer.read()
    except (URLError, ConnectionError):
        return False


def _page(browser: Browser, url: str) -> Page:
    context = browser.new_context(base_url=url, viewport={"width": 1440, "height": 900})
    return context.new_page()


def _timed(browser: Browser, url: str, path: str) -> tuple[float, float]:
    """Return when something and when candles were on screen, in milliseconds, on a cold cache."""
    page = _page(browser, url)
    page.route("**/bare", _give_bare)
    page.goto(path)
    page.wait_for_timeout(1_200)
    paint, candles = page.evaluate(
        """() => [performance.getEntriesByType('paint')[0]?.startTime ?? 0,
            performance.getEntriesByName('first-candles')[0].startTime]"""
    )
    page.context.close()
    return paint, candles


def _give_bare(route: Route) -> None:
    route.fulfill(body=BARE, content_type="text/html")


def _loads(browser: Browser, url: str) -> None:
    """Take turns, so that what else the machine does meets both."""
    pages, bares = [], []
    for _ in range(LOADS):
        pages.append(_timed(browser, url, "/?symbol=GOLD&interval=1m"))
        bares.append(_timed(browser, url, "/bare"))
    for name, number in (("first paint", 0), ("candles on screen", 1)):
        own = statistics.median(each[number] for each in pages)
        bare = statistics.median(each[number] for each in bares)
        budget = (200, 700)[number]
        ratio = f"{own / bare:.2f} of a bare page's {bare:.0f} ms" if bare else ""
        print(f"{name:>24} {own:>8.0f} ms  (budget {budget})  {ratio}")


def _sizes(browser: Browser, url: str) -> None:
    page = _page(browser, url)
    page.goto("/?symbol=GOLD&interval=1m")
    page.wait_for_timeout(2_000)
    first, every = page.evaluate(
        """() => {
            const shown = performance.getEntriesByName('first-candles')[0].startTime;
            const own = performance.getEntriesByType('resource')
                .filter(({ name }) => name.includes('/static/js/'));
            const sum = (all) => all.reduce((size, each) => size + each.encodedBodySize, 0);
            return [sum(own.filter(({ startTime }) => startTime < shown)), sum(own)];
        }"""
    )
    print(f"{'scripts before candles':>24} {first / 1000:>8.1f} kB  (budget 40)")
    print(f"{'scripts once live':>24} {every / 1000:>8.1f} kB")
    page.context.close()


class _Stream:
    """Plays the stream's part: answers requests, and sends what it is told to."""

    def __init__(self, page: Page) -> None:
        self._route: WebSocketRoute | None = None
        page.route_web_socket("**/ws", self._accept)

    def _accept(self, route: WebSocketRoute) -> None:
        self._route = route
        route.on_message(
            lambda message: route.send(
                json.dumps({"result": None, "id": json.loads(message)["id"]})
            )
        )

    def send(self, event: dict[str, Any]) -> None:
        if self._route is not None:
            self._route.send(json.dumps(event))

    def bar(self, start: int, number: int) -> None:
        price = 2_000 + number % 50 / 10
        k = {"t": start * 1000, "i": "1s", "o": "2000", "h": "2010", "l": "1990", "c": str(price)}
        self.send({"e": "kline", "E": start * 1000, "s": "GOLD", "k": k | {"v": "3", "x": False}})

    def trade(self, second: int, number: int) -> None:
        trade = {"p": "2000.5", "q": "1.5", "T": second * 1000, "t": number, "m": number % 2 == 0}
        self.send({"e": "trade", "E": second * 1000, "s": "GOLD", **trade})


def _live(browser: Browser, url: str) -> tuple[Page, _Stream, int]:
    """Return a page with BARS bars and more, its stream, and its newest bar's second."""
    page = _page(browser, url)
    stream = _Stream(page)
    page.goto("/?symbol=GOLD&interval=1s")
    page.wait_for_timeout(1_500)
    while page.evaluate("window.__chart.candles().length") < BARS:
        page.evaluate(
            "window.__chart.chart.timeScale().setVisibleLogicalRange({ from: 0, to: 100 })"
        )
        page.wait_for_timeout(100)
    page.evaluate("window.__chart.chart.timeScale().scrollToRealTime()")
    return page, stream, int(page.evaluate("window.__chart.candles().at(-1).time"))


def _frames(browser: Browser, url: str) -> None:
    idle = _page(browser, url)
    idle.goto("/static/mark.svg")
    bare = idle.evaluate(FRAMES, FRAMES_S)
    idle.context.close()
    page, stream, newest = _live(browser, url)
    page.evaluate(f"window.counted = ({FRAMES})({FRAMES_S}).then((rate) => (window.rate = rate))")
    for number in range(FRAMES_S * UPDATES_PER_S):
        stream.bar(newest + number // UPDATES_PER_S, number)
        page.wait_for_timeout(1_000 / UPDATES_PER_S)
    page.wait_for_timeout(1_500)
    rate = page.evaluate("window.rate")
    print(
        f"{'frames while scrolling':>24} {rate:>8.0f} /s  (budget 55)  "
        f"{rate / bare:.2f} of an empty page's {bare:.0f}"
    )
    page.context.close()


def _heap(browser: Browser, url: str) -> None:
    page, stream, newest = _live(browser, url)
    before = _used_mb(page)
    for number in range(PLAYED):
        if number % 2:
            stream.bar(newest + number // 10, number)
        else:
            stream.trade(newest + number // 10, number)
        if number % 20 == 0:
            page.wait_for_timeout(50)
    page.wait_for_timeout(2_000)
    after = _used_mb(page)
    print(
        f"{'heap after ten minutes':>24} {after:>8.1f} MB  {after / before:.2f} of {before:.1f} MB"
    )
    page.context.close()


def _used_mb(page: Page) -> float:
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 1e6
