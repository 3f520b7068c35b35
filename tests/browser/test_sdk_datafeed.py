"""The datafeed module in a page of another origin, as a widget uses it."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.foreign import Line, Site

pytestmark = pytest.mark.browser

# What a widget does with a datafeed, as far as it goes: the last bar may change, a later one may
# be added, and a reset is followed by reading everything anew.
WIDGET = """
const wanted = { resolution: "1S", bars: new Map(), problems: [], resets: 0, ticks: 0 };
window.chart = wanted;
async function open(datafeed, name) {
  window.datafeed = datafeed;
  wanted.configuration = await new Promise((done) => datafeed.onReady(done));
  const fail = (reason) => wanted.problems.push(reason);
  wanted.market = await new Promise((done) => datafeed.resolveSymbol(name, done, fail));
  const read = () => new Promise((done) => {
    const to = Math.floor(Date.now() / 1000) + 1;
    const period = { from: to - 300, to, countBack: 300, firstDataRequest: true };
    datafeed.getBars(wanted.market, wanted.resolution, period, (bars) => {
      wanted.bars = new Map(bars.map((bar) => [bar.time, bar]));
      wanted.last = bars.at(-1).time;
      done();
    }, fail);
  });
  await read();
  datafeed.onReset(read);
  datafeed.subscribeBars(wanted.market, wanted.resolution, (bar) => {
    wanted.ticks++;
    if (bar.time < wanted.last) fail("time violation");
    wanted.last = Math.max(wanted.last, bar.time);
    wanted.bars.set(bar.time, bar);
  }, "guid", () => wanted.resets++);
  wanted.isReady = true;
}
"""
MODULE = """<!doctype html><script type="module">
import {{ Datafeed }} from "{api}/sdk/datafeed.js";
{widget}
open(new Datafeed(), "gold");
</script>"""
SCRIPT = """<!doctype html><script src="{api}/sdk/datafeed.global.js"></script><script>
{widget}
open(new Appliance.Datafeed(), "GOLD");
</script>"""


@pytest.fixture
def site() -> Iterator[Site]:
    with Site().serving() as running:
        yield running


@pytest.fixture
def line(server: str) -> Iterator[Line]:
    with Line(urlsplit(server).port or 0).laid() as laid:
        yield laid


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """A page of the other site; an error in it fails the test."""
    errors: list[str] = []
    page = browser.new_page(base_url=site.origin)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert [] == errors


def shown(page: Page, before: int) -> list[dict[str, Any]]:
    """Return the bars a widget shows that start before this millisecond."""
    bars: list[dict[str, Any]] = page.evaluate("[...chart.bars.values()]")
    return sorted((b for b in bars if b["time"] < before), key=lambda bar: bar["time"])


def stored(page: Page, server: str, bars: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what the server answers now for the same span."""
    query = {"symbol": "GOLD", "resolution": "1S", "from": bars[0]["time"] // 1000}
    query["to"] = bars[-1]["time"] // 1000 + 1
    body = page.request.get(f"{server}/api/tradingview/history", params=query).json()
    names = ("time", "open", "high", "low", "close", "volume")
    rows = zip(*(body[key] for key in "tohlcv"), strict=True)
    return [dict(zip(names, (t * 1000, *rest), strict=True)) for t, *rest in rows]


def assert_same(mine: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    """Streams tell sizes as decimal strings, REST as doubles."""
    assert [bar["time"] for bar in mine] == [bar["time"] for bar in theirs]
    for bar, other in zip(mine, theirs, strict=True):
        assert bar == pytest.approx(other, rel=1e-9)


@pytest.mark.parametrize(("form", "is_barred"), [(MODULE, False), (SCRIPT, False), (MODULE, True)])
def test_a_page_of_another_origin_has_live_bars(
    page: Page, site: Site, server: str, form: str, is_barred: bool
) -> None:
    """Imported as a module, or by a script tag; also where no WebSocket gets through."""
    if is_barred:
        page.route_web_socket("**/ws", lambda socket: socket.close())
    site.pages["/"] = form.format(api=server, widget=WIDGET)
    page.goto("/")
    page.wait_for_function("chart.isReady && chart.ticks > 1")
    first = page.evaluate("chart.last")
    page.wait_for_function(f"chart.last >= {first + 2000}")
    assert "1S" in page.evaluate("chart.configuration.supported_resolutions")
    assert page.evaluate("[chart.market.ticker, chart.problems]") == ["GOLD", []]
    bars = shown(page, first + 1000)
    assert len(bars) > 250
    assert_same(bars, stored(page, server, bars))


def test_a_line_that_is_cut_loses_no_bar(page: Page, site: Site, line: Line, server: str) -> None:
    """Whether the server resumes or not: bars come in order, and are the store's."""
    site.pages["/"] = MODULE.format(api=line.origin, widget=WIDGET)
    page.goto("/")
    page.wait_for_function("chart.isReady && chart.ticks > 3")
    line.cut()
    page.wait_for_timeout(2500)
    before = page.evaluate("chart.last")
    line.mend()
    page.wait_for_function(f"chart.last >= {before + 3000}", timeout=20_000)
    page.wait_for_timeout(600)
    assert page.evaluate("chart.problems") == []
    bars = shown(page, page.evaluate("chart.last"))
    assert_same(bars, stored(page, server, bars))


def test_unknown_symbols_marks_time_and_quotes(page: Page, site: Site, server: str) -> None:
    """All that a widget may ask besides bars."""
    site.pages["/"] = MODULE.format(api=server, widget=WIDGET)
    page.goto("/")
    page.wait_for_function("window.chart?.isReady")
    ask = "(name) => new Promise((done) => datafeed.resolveSymbol(name, done, done))"
    assert page.evaluate(ask, "NOPE") == "unknown_symbol"
    found = page.evaluate("new Promise((done) => datafeed.searchSymbols('go', '', '', done))")
    assert found[0]["ticker"] == "GOLD"
    now = page.evaluate("new Promise((done) => datafeed.getServerTime(done))")
    assert abs(now - page.evaluate("Date.now() / 1000")) < 30
    for name in ("getMarks", "getTimescaleMarks"):
        call = f"new Promise((done) => datafeed.{name}(chart.market, 0, 2e9, done, '60'))"
        assert isinstance(page.evaluate(call), list)
    page.evaluate(
        """() => {
            window.quotes = [];
            datafeed.subscribeQuotes([], ["GOLD", "nope"], (rows) => quotes.push(...rows), "q");
        }"""
    )
    page.wait_for_function("quotes.length >= 2")
    quotes = page.evaluate("quotes.slice(0, 2)")
    assert [(q["s"], q["n"]) for q in quotes] == [("ok", "GOLD"), ("error", "nope")]
    assert quotes[0]["v"]["lp"] > 0
