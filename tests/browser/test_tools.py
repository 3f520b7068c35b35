"""What one does with a chart: indicators, kinds of bars, events, measuring, saving, sharing."""

import csv
import io
import re
from typing import Any

import pytest

from tests.browser.visit import CHART, Visit

pytestmark = pytest.mark.browser
MAIN = "window.__chart.chart.panes()[0].getSeries()[0]"
PANES = "window.__chart.chart.panes().length"
PLACE_OF_BAR = """(back) => {
    const { chart } = window.__chart;
    const [main] = chart.panes()[0].getSeries();
    const bar = window.__chart.candles().at(back);
    const { left, top } = document.getElementById('chart-canvas').getBoundingClientRect();
    const x = left + chart.timeScale().timeToCoordinate(bar.time);
    return { x, y: top + main.priceToCoordinate((bar.high + bar.low) / 2), bar };
}"""


def choose(visit: Visit, opener: str, words: str) -> None:
    visit.page.click(opener)
    visit.page.click(f"[role=menu]:popover-open >> text='{words}'")


def test_indicators_are_added_kept_and_removed(visit: Visit) -> None:
    """On the price and in panes of their own; after a reload before the first candles."""
    visit.open()
    visit.until("document.getElementById('legend-rows').textContent.includes('EMA 50')")
    visit.page.click("#studies-button")
    for name in ("RSI", "MACD", "Bollinger"):
        visit.page.click(f".studies .popover-item >> text={name} >> nth=0")
    assert [] == visit.axe()
    visit.page.fill("[aria-label='EMA, length']", "9")
    visit.page.keyboard.press("Tab")
    visit.page.keyboard.press("Escape")
    assert visit.page.evaluate(PANES) == 4
    visit.until(
        "/EMA 9 .*Bollinger 20 2/.test(document.getElementById('legend-rows').innerText"
        ".replaceAll('\\n', ' '))"
    )
    for pane in ("RSI 14", "MACD 12 26 9"):
        assert visit.page.locator(f".legend-pane >> text={pane}").count() == 1
    visit.open()
    assert visit.page.evaluate(PANES) == 4
    visit.page.mouse.move(600, 450)
    value = visit.text(".legend-pane >> nth=0")
    assert 0 <= float(value.split()[-1]) <= 100
    visit.page.click("#studies-button")
    visit.page.wait_for_selector(".studies [aria-label^=Remove]")
    while visit.page.locator(".studies [aria-label^=Remove]").count():
        visit.page.click(".studies [aria-label^=Remove] >> nth=0")
    assert visit.page.evaluate(PANES) == 2
    assert visit.text("#legend-rows") == ""


def test_funding_and_open_interest_have_panes_where_they_are_known(visit: Visit) -> None:
    visit.open()
    visit.page.click("#studies-button")
    for name in ("Funding", "Open interest"):
        visit.page.click(f".studies button >> text='{name}'")
    visit.page.keyboard.press("Escape")
    visit.page.mouse.move(600, 20)  # away from the bars: the legend tells the newest
    for number, unit in ((0, "%"), (1, "M")):
        text = f"document.querySelectorAll('.legend-pane')[{number}].textContent"
        visit.until(f"{text}.endsWith('{unit}')")
    # A rate in percent, signed, as in the header; that one is read at another moment.
    for place in (".legend-pane >> nth=0", "#stats"):
        assert re.search(r"Funding\D*[+−]0\.\d+\s*%", visit.text(place)), visit.text(place)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("Bars", "Bar"), ("Heikin-Ashi", "Candlestick"), ("Line", "Line"), ("Baseline", "Baseline")],
)
def test_bars_of_each_kind_are_drawn_and_kept(visit: Visit, name: str, kind: str) -> None:
    """With all that lies over them, and live."""
    visit.open("/?symbol=GOLD&interval=1s")
    choose(visit, "#type-button", name)
    visit.until(f"{MAIN}.seriesType() === '{kind}'")
    drawn = f"{MAIN}.data().length"
    assert visit.page.evaluate(f"{drawn} === window.__chart.candles().length")
    before = visit.chart("lastTime")
    visit.until(f"{CHART}.lastTime > {before} && {MAIN}.data().at(-1).time > {before}")
    visit.open("/?symbol=GOLD&interval=1s")
    assert visit.page.evaluate(f"{MAIN}.seriesType()") == kind
    assert visit.text("#type-name") == name


AMBER = """async () => {
    const { pictureOf } = await import('/static/js/shot.js');
    const canvas = pictureOf(window.__chart.chart);
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4) {
        if (data[i] > 220 && data[i + 1] > 150 && data[i + 1] < 200 && data[i + 2] < 110) count++;
    }
    return count;
}"""


def test_events_are_marked_and_can_be_left_out(visit: Visit) -> None:
    visit.open("/?symbol=GOLD&interval=15m")
    visit.until(f"({AMBER})().then((count) => count > 50)")
    visit.page.click("#studies-button")
    for label in ("Liquidations", "Large trades"):
        visit.page.click(f".studies label >> text={label}")
    visit.until(f"({AMBER})().then((count) => count < 10)")


def test_another_market_is_compared_in_percent(visit: Visit) -> None:
    """Its line has a place for each bar, whenever it traded itself."""
    visit.open()
    visit.page.click("#studies-button")
    visit.page.click("text=Another market…")
    visit.until("document.activeElement.closest('dialog.chooser') !== null")
    visit.until("document.querySelectorAll('.chooser-rows button').length === 2")
    assert [] == visit.axe()
    visit.page.keyboard.type("bt")
    visit.until("document.querySelectorAll('.chooser-rows button').length === 1")
    visit.page.keyboard.press("Enter")
    visit.until("document.getElementById('legend-rows').textContent.includes('BTC')")
    assert visit.page.evaluate("window.__chart.chart.priceScale('right').options().mode") == 2
    line = "window.__chart.chart.panes()[0].getSeries().at(-1).data()"
    visit.until(f"{line}.filter(({{ value }}) => value > 10_000).length > 300")
    assert visit.page.evaluate(f"{line}.length === window.__chart.candles().length")
    visit.page.click("#studies-button")
    visit.page.click("[aria-label='Remove BTC']")
    assert visit.page.evaluate("window.__chart.chart.priceScale('right').options().mode") == 0


def test_a_drag_with_shift_measures(visit: Visit) -> None:
    """What it comes to stands in the legend; Escape ends it."""
    visit.open()
    visit.page.keyboard.down("Shift")
    visit.page.wait_for_timeout(200)
    visit.page.mouse.move(500, 400)
    visit.page.mouse.down()
    visit.page.mouse.move(700, 300, steps=4)
    visit.page.mouse.up()
    visit.page.keyboard.up("Shift")
    words = visit.text(".measure-words").replace("\u2009", " ")
    # 25 bars lie between; a minute that begins during the drag moves the chart by one more.
    assert re.search("in (25|26) bars, \\1 min", words), words
    assert words.startswith("+")
    visit.page.keyboard.press("Escape")
    assert not visit.page.is_visible(".measure-words")


def test_a_click_on_a_bar_lists_its_trades(visit: Visit) -> None:
    """Each with block and transaction; together they are the bar."""
    visit.open("/?symbol=ETH&interval=1m")
    place: dict[str, Any] = visit.page.evaluate(PLACE_OF_BAR, -8)
    visit.page.mouse.click(place["x"], place["y"])
    visit.until("document.querySelectorAll('#panel tbody tr').length > 0")
    rows = visit.page.locator("#panel tbody tr").all_inner_texts()
    query = f"symbol=ETH&from={place['bar']['time']}&to={place['bar']['time'] + 60}&limit=1000"
    trades = visit.page.request.get(f"/api/lightweight/trades?{query}").json()["data"]
    assert len(rows) == len(trades)
    assert sum(t["size"] for t in trades) == pytest.approx(place["bar"]["volume"])
    assert f"{trades[0]['block_number']:,}" in rows[0]
    assert trades[0]["transaction_hash"][:6] in rows[0]
    assert [] == visit.axe()
    visit.page.click("#panel [aria-label=Close]")
    assert visit.page.is_visible("#tape")


def test_the_keyboard_does_all_of_it(visit: Visit) -> None:
    """Walk to a bar, open its trades, leave them; choose an interval; ask for help."""
    visit.open()
    visit.page.focus("#chart-canvas")
    for key in ("Home", "ArrowRight", "End", "ArrowLeft", "Enter"):
        visit.page.keyboard.press(key)
    visit.until("document.querySelectorAll('#panel tbody tr').length > 0")
    visit.page.focus("#panel .panel-body")
    visit.page.keyboard.press("Escape")
    assert not visit.page.is_visible("#panel")
    assert visit.page.evaluate("document.activeElement.id") == "chart-canvas"
    visit.page.keyboard.press("3")
    visit.until(f"{CHART}.interval === '5m'")
    visit.page.keyboard.press("?")
    visit.until("document.querySelector('dialog.help')?.open")
    assert "Version" in visit.text("dialog.help")
    assert [] == visit.axe()


def test_bars_are_a_table_too(visit: Visit) -> None:
    visit.open("/?symbol=GOLD&interval=1s")
    visit.page.click("#table-button")
    visit.until("document.querySelectorAll('#table-view tbody tr').length === 100")
    newest = visit.page.evaluate("document.querySelector('#table-view tbody tr').dataset.time")
    visit.until(f"document.querySelector('#table-view tbody tr').dataset.time > {newest}")
    row = visit.page.inner_text("#table-view tbody tr >> nth=20").split("\t")
    time = visit.page.evaluate("document.querySelectorAll('#table-view tr')[21].dataset.time")
    bar = next(b for b in visit.bars() if b["time"] == int(time))
    assert [f"{bar[name]:,.2f}" for name in ("open", "high", "low", "close")] == row[1:5]
    assert [] == visit.axe()
    visit.page.click("#table-view >> text=Show older bars")
    visit.until("document.querySelectorAll('#table-view tbody tr').length >= 200")
    visit.page.click("#table-button")
    assert not visit.page.is_visible("#table-view")


def test_the_chart_is_saved_as_picture_and_as_rows(visit: Visit) -> None:
    visit.open("/?symbol=BTC&interval=5m")
    with visit.page.expect_download() as picture:
        choose(visit, "#save-button", "Save as picture")
    assert picture.value.suggested_filename == "BTC-5m.png"
    assert picture.value.path().read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert picture.value.path().stat().st_size > 10_000
    # Saved in the very moment in which the library alone would never return.
    with visit.page.expect_download(timeout=10_000):
        visit.page.click("#save-button")
        visit.page.evaluate(
            """() => {
                const { chart } = window.__chart;
                chart.timeScale().scrollToPosition(12, false);
                chart.applyOptions({ layout: { fontSize: 11 } });
                document.querySelector('[role=menu]:popover-open button').click();
            }"""
        )
    with visit.page.expect_download() as rows:
        choose(visit, "#save-button", "Save these bars")
    saved = list(csv.DictReader(io.StringIO(rows.value.path().read_text())))
    bars = visit.bars()
    assert len(bars) - len(saved) in (0, 1)
    assert [(float(s["close"]), int(s["time"])) for s in saved[:-2]] == [
        (b["close"], b["time"]) for b in bars[: len(saved) - 2]
    ]


def test_everything_to_copy_runs_as_it_is(visit: Visit) -> None:
    """The addresses in the panel answer, with the market and interval on screen."""
    visit.open("/?symbol=ETH&interval=5m")
    visit.page.click("#integrate-button")
    visit.until("document.querySelectorAll('.tries td:nth-child(2)').length === 4")
    statuses = visit.page.locator(".tries td:nth-child(2)").all_inner_texts()
    assert ["200"] * 4 == statuses
    codes = visit.page.locator("#panel .code").all_inner_texts()
    own = visit.page.evaluate("location.origin")
    assert codes[0] == f"{own}/api/tradingview"
    assert '<appliance-chart symbol="ETH" interval="5m">' in codes[2]
    assert 'params: ["eth@kline_5m"]' in codes[3]
    visit.page.fill("#panel [aria-label=Width]", "640")
    visit.page.select_option("#panel [aria-label=Theme]", "dark")
    frame = visit.page.locator("#panel .code").last.inner_text()
    assert 'width="640"' in frame
    assert "symbol=ETH&amp;interval=5m&amp;theme=dark" in frame
    visit.until("document.querySelector('.snippet-live').textContent.includes('messages/s')")
    assert [] == visit.axe()
    assert "true" == visit.page.get_attribute("#integrate-button", "aria-expanded")
    visit.page.click("#integrate-button")
    visit.page.wait_for_selector("#tape", state="visible")
    assert "false" == visit.page.get_attribute("#integrate-button", "aria-expanded")


def test_the_time_zone_is_chosen_and_kept(visit: Visit) -> None:
    """Also one with an odd offset: clock, axis, legend and tape tell the same time."""
    visit.open()
    utc = visit.text("#tape-rows time >> nth=0")
    visit.page.click("#theme-button")
    visit.page.click("text=Another time zone…")
    visit.until("document.activeElement.closest('dialog.chooser') !== null")
    visit.page.keyboard.type("asia/kathmandu")
    visit.until("document.querySelectorAll('.chooser-rows button').length === 1")
    visit.page.keyboard.press("Enter")
    visit.until("document.getElementById('clock').textContent.endsWith('GMT+5:45')")
    visit.until(f"document.querySelector('#tape-rows time').textContent !== '{utc}'")
    visit.open()
    visit.until("document.getElementById('clock').textContent.endsWith('GMT+5:45')")
    label = "window.__chart.chart.options().localization.timeFormatter(1_700_000_040)"
    assert visit.page.evaluate(label) == "15 Nov, 03:59"
    visit.page.click("#theme-button")
    visit.page.click("role=menuitemradio[name='UTC']")
    visit.until("document.getElementById('clock').textContent.endsWith('UTC')")


def test_the_price_is_in_title_and_icon(visit: Visit) -> None:
    visit.open()
    visit.until("document.querySelector('link[rel=icon]').href.startsWith('data:image/png')")
    price = visit.text("#price")
    assert visit.page.title()[:3] == price[:3]
    assert "GOLD" in visit.page.title()


def test_trades_are_shown_by_size(visit: Visit) -> None:
    visit.open()
    choose(visit, "#tape-filter", "Largest 5\u2009%")
    weights = "[...document.querySelectorAll('.trade')].map((row) => row.dataset.weight)"
    visit.until(f"{weights}.length > 20 && {weights}.every((weight) => weight === 'heavy')")
    choose(visit, "#tape-filter", "All sizes")
    visit.until(f"{weights}.includes('light')")


def test_nothing_moves_while_the_page_comes_up(visit: Visit) -> None:
    """No layout shift at all; only the tape's rows move, when there is a trade."""
    script = """(() => {
        window.shifted = [];
        new PerformanceObserver((list) => {
            for (const { value, sources } of list.getEntries()) {
                const isTape = ({ node }) => node?.parentElement?.id === 'tape-rows';
                // A sign more or less in the legend is no shift.
                if (value < 1e-4 || sources.every(isTape)) continue;
                window.shifted.push([value, sources[0]?.node?.outerHTML]);
            }
        }).observe({ type: 'layout-shift', buffered: true });
    })()"""
    visit.page.add_init_script(script)
    visit.open()
    visit.page.wait_for_timeout(1500)
    assert [] == visit.page.evaluate("window.shifted")


def test_colours_of_the_other_palette_are_kept(visit: Visit) -> None:
    visit.open()
    choose(visit, "#theme-button", "Colour-blind palette")
    colour = f"{MAIN}.options().upColor"
    assert visit.page.evaluate(colour) == "rgb(90, 169, 240)"
    visit.open()
    assert visit.page.evaluate(colour) == "rgb(90, 169, 240)"
    assert [] == visit.axe()
