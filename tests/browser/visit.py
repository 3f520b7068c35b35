"""One reader's visit: a page, what it complained about, and the questions tests ask of it."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import ConsoleMessage, Page, Request, WebSocketRoute

CHART = "document.getElementById('chart').dataset"
AXE = Path(__file__).parents[1] / "js/node_modules/axe-core/axe.min.js"
ADMIN_KEY = "browser-admin-key-0123456789"


def until(page: Page, condition: str, timeout_s: float = 30) -> None:
    """Wait until the JavaScript expression holds.

    Playwright's own waiting evaluates text inside the page, which the policy forbids.
    """
    deadline = time.monotonic() + timeout_s
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, f"never came true: {condition}"
        page.wait_for_timeout(30)


class FakeStream:
    """The stream's server, as the page sees it: answers every request, or refuses to listen."""

    def __init__(
        self,
        page: Page,
        events: Sequence[dict[str, Any]] = (),
        meanwhile: Callable[[], None] | None = None,
    ) -> None:
        """Send `events` whenever bars are subscribed, after what happens `meanwhile`."""
        self._events = events
        self._meanwhile = meanwhile
        self._open: list[WebSocketRoute] = []
        self._refuses = False
        page.route_web_socket("**/ws", self._accept)

    def _accept(self, route: WebSocketRoute) -> None:
        if self._refuses:
            route.close(code=1001)
            return
        self._open.append(route)
        route.on_message(lambda message: self._answer(route, json.loads(message)))

    def _answer(self, route: WebSocketRoute, asked: dict[str, Any]) -> None:
        route.send(json.dumps({"result": None, "id": asked["id"]}))
        if asked["method"] == "SUBSCRIBE":
            if self._meanwhile is not None:
                self._meanwhile()
            self.send(*self._events)

    def send(self, *events: dict[str, Any]) -> None:
        """Send events to the page."""
        for event in events:
            self._open[-1].send(json.dumps(event))

    def cut(self) -> None:
        """Close what is open, and let nobody in again."""
        self._refuses = True
        self._open.pop().close(code=1001)

    def listen(self) -> None:
        """Let readers in again."""
        self._refuses = False


class Visit:
    """A page that remembers its console errors and the requests that left its origin."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self._complain(str(error)))
        page.on("request", self._note)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._complain(f"{message.text} {message.location['url']}")

    def _complain(self, text: str) -> None:
        self.complaints.append(text)

    def _note(self, request: Request) -> None:
        own = urlsplit(self.page.url).netloc
        asked = urlsplit(request.url)
        if asked.scheme in ("http", "https", "ws", "wss") and own and asked.netloc != own:
            self.foreign.append(request.url)

    def open(self, path: str = "/") -> "Visit":
        """Go to a page of the appliance and wait for its candles."""
        self.page.goto(path)
        return self.ready()

    def ready(self) -> "Visit":
        self.until(f"{CHART}.state === 'ready' && {CHART}.connection === 'live'")
        return self

    def until(self, condition: str, timeout_s: float = 30) -> None:
        """Wait until the JavaScript expression holds."""
        until(self.page, condition, timeout_s)

    def axe(self) -> list[tuple[str, list[str]]]:
        """Return what the accessibility checker finds: names, roles, contrast."""
        if not AXE.exists():
            pytest.skip("axe-core is not installed; make test brings it")
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.read_text())
        found = self.page.evaluate("axe.run().then(({violations}) => violations)")
        return [(v["id"], [node["html"] for node in v["nodes"]][:3]) for v in found]

    def text(self, selector: str) -> str:
        """Return what is read there, in one line."""
        return " ".join(self.page.inner_text(selector).split())

    def chart(self, name: str) -> str:
        """Return one `data-` attribute of the chart, its name in camel case."""
        return str(self.page.evaluate(f"{CHART}.{name}"))

    def reorganize(self, depth: int) -> tuple[int, int]:
        """Let the demo replace its last blocks; return the first and the last of them."""
        answer = self.page.request.post(
            f"/api/admin/demo/reorg?depth={depth}", headers={"X-API-Key": ADMIN_KEY}
        )
        assert answer.ok, answer.text()
        return answer.json()["from_block"], answer.json()["to_block"]

    def stored_bars(self, symbol: str, interval: str, limit: int) -> list[dict[str, Any]]:
        """Return what the server answers to somebody who asks now."""
        query: dict[str, str | float | bool] = {"symbol": symbol, "timeframe": interval}
        query |= {"limit": limit}
        answer = self.page.request.get("/api/lightweight/ohlcv", params=query)
        return list(answer.json()["data"])

    def bars(self) -> list[dict[str, Any]]:
        """Return the bars of the page's own store."""
        bars = self.page.evaluate(
            "window.__chart.candles().map(({closed, ...candle}) => candle)",
        )
        return list(bars)

    def show_bars(self, first: int, last: int) -> tuple[float, float]:
        """Bring these bar numbers into sight; return their times, once they are."""
        self.page.evaluate(
            """async (range) => {
                window.__chart.chart.timeScale().setVisibleLogicalRange(range);
                for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
            }""",
            {"from": first, "to": last},
        )
        return self.visible_times()

    def visible_times(self) -> tuple[float, float]:
        """Return the times of the first and last bar in sight."""
        found = self.page.evaluate("window.__chart.chart.timeScale().getVisibleRange()")
        return float(found["from"]), float(found["to"])

    def candle_pixels(self) -> int:
        """Count pixels of the chart's own picture that are clearly green or red."""
        return int(
            self.page.evaluate(
                """async () => {
                    const { pictureOf } = await import('/static/js/shot.js');
                    const canvas = pictureOf(window.__chart.chart, false);
                    const { width, height } = canvas;
                    const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
                    let count = 0;
                    for (let i = 0; i < data.length; i += 4) {
                        const [red, green] = [data[i], data[i + 1]];
                        if (Math.abs(red - green) > 60) count++;
                    }
                    return count;
                }"""
            )
        )

    def scroll_back(self, pixels: int) -> None:
        """Drag the chart towards the past with the wheel."""
        self.page.mouse.move(700, 400)
        self.page.mouse.wheel(-pixels, 0)

    def choose_interval(self, name: str) -> None:
        self.page.click(f"#intervals >> text='{name}'")
        self.until(f"{CHART}.interval === '{name}'")
        self.ready()
