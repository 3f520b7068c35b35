"""A reorg while somebody looks: the bars on screen become those of the store, without a reload."""

import time
from typing import Any

import pytest

from tests.browser.visit import Visit

pytestmark = pytest.mark.browser

NAMES = ("time", "open", "high", "low", "close", "volume")
BAR_ON_SCREEN = """(time) => {
    const [candles] = window.__chart.chart.panes()[0].getSeries();
    return candles.data().filter((bar) => bar.time >= time).map(({ time, close }) => [time, close]);
}"""


def figures(bars: list[dict[str, Any]], first: int, end: int) -> list[tuple[float, ...]]:
    """Return what the bars in [first, end) say."""
    return [tuple(b[n] for n in NAMES) for b in bars if first <= b["time"] < end]


def same(visit: Visit, interval: str, first: int, end: int) -> bool:
    """Return whether the page holds exactly the store's bars in [first, end)."""
    stored = visit.stored_bars("GOLD", interval, limit=500)
    return figures(visit.bars(), first, end) == figures(stored, first, end)


def settled(visit: Visit, interval: str, first: int, end: int) -> None:
    """Wait until the page holds the store's bars, and check that it does."""
    for _ in range(100):
        if same(visit, interval, first, end):
            break
        visit.page.wait_for_timeout(50)
    assert figures(visit.stored_bars("GOLD", interval, limit=500), first, end) == figures(
        visit.bars(), first, end
    )


@pytest.mark.parametrize("interval", ["1s", "1m"])
def test_bars_on_screen_follow_a_reorg(visit: Visit, interval: str) -> None:
    """Those before it stay as they were."""
    visit.open(f"/?symbol=GOLD&interval={interval}")
    before = {b["time"]: b for b in visit.bars()}
    first, last = visit.reorganize(100)
    length = 1 if interval == "1s" else 60
    start, end = first // length * length, (last + 1) // length * length
    settled(visit, interval, start - 600, end)
    after = {b["time"]: b for b in visit.bars()}
    replaced = [t for t in before if start <= t < end]
    assert {t: before[t] for t in replaced} != {t: after.get(t) for t in replaced}
    untouched = [t for t in before if t + 60 <= start]
    assert [before[t] for t in untouched] == [after[t] for t in untouched]
    assert visit.page.evaluate("performance.getEntriesByType('navigation').length") == 1
    drawn = dict(visit.page.evaluate(BAR_ON_SCREEN, start))
    shown = {b["time"]: b["close"] for b in visit.bars() if start <= b["time"] < end}
    assert shown == {t: close for t, close in drawn.items() if t < end}


def test_a_reader_of_the_past_sees_no_bar_move(visit: Visit) -> None:
    visit.open("/?symbol=GOLD&interval=1s")
    seen = visit.show_bars(100, 220)
    first, last = visit.reorganize(20)
    settled(visit, "1s", first - 60, last + 1)
    assert seen == visit.visible_times()


GONE_AND_BACK = """async () => {
    const { CandleStore } = await import("/static/js/candles.js");
    const { ChartView } = await import("/static/js/chart-view.js");
    const bars = Array.from({ length: 300 }, (_, index) => {
        const price = 100 + index % 7;
        const figures = { open: price, high: price + 1, low: price, close: price, volume: 1 };
        return { time: 1_700_000_000 + 60 * index, ...figures, final: true };
    });
    const root = document.body.appendChild(document.createElement("div"));
    root.style.cssText = "width: 600px; height: 300px";
    const chart = new ChartView(root, () => Date.now() / 1000);
    const store = new CandleStore();
    store.replaceAll(bars);
    chart.show({ store, interval: "1m", decimals: 2 });
    const scale = chart.chart.timeScale();
    const frames = async () => {
        for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
    };
    const seen = [];
    const look = async () => {
        await frames();
        const { from, to } = scale.getVisibleRange();
        seen.push([from, to]);
    };
    scale.setVisibleLogicalRange({ from: 100, to: 220 });
    await look();
    for (const count of [290, 300, 280, 300]) {
        store.replaceAll(bars.slice(0, count));
        chart.redrawAll(new Set());
    }
    await look();
    store.replaceAll(bars.slice(50, 295));
    chart.redrawAll();
    await look();
    return seen;
}"""


def test_bars_that_leave_and_return_within_a_frame_move_nothing(visit: Visit) -> None:
    """The library moves to where it is told with its next frame only."""
    visit.open("/?symbol=GOLD&interval=1m")
    before, *after = visit.page.evaluate(GONE_AND_BACK)
    assert after == [before, before]


WATCH_INK = """() => {
    const [candles] = window.__chart.chart.panes()[0].getSeries();
    const ink = getComputedStyle(document.body).color;
    window.inInk = {};
    setInterval(() => {
        window.inkNow = candles.data().filter((bar) => bar.color === ink).map(({ time }) => time);
        for (const time of window.inkNow) window.inInk[time] = true;
    }, 10);
}"""


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_a_revised_bar_is_in_ink_for_a_moment(visit: Visit, motion: Any) -> None:
    """Where motion is welcome; the bar is the minute that the reorg cuts in two."""
    visit.page.emulate_media(color_scheme="dark", reduced_motion=motion)
    visit.open("/?symbol=GOLD&interval=1m")
    visit.page.evaluate(WATCH_INK)
    first, last = visit.reorganize(60 + (int(time.time()) - 30) % 60)
    settled(visit, "1m", first - 600, last // 60 * 60)
    if motion == "reduce":
        assert visit.page.evaluate("Object.keys(window.inInk)") == []
        return
    visit.until(f"window.inInk[{first // 60 * 60}]")
    visit.until("window.inkNow.length === 0")


def test_retracted_trades_leave_the_tape(visit: Visit) -> None:
    visit.open("/?symbol=GOLD&interval=1m")
    query: dict[str, str | float | bool] = {"symbol": "GOLD", "limit": "100"}
    trades = visit.page.request.get("/api/lightweight/trades", params=query).json()["data"]
    titles = "[...document.querySelectorAll('#tape-rows time')].map((t) => t.title)"
    shown = visit.page.evaluate(titles)
    first, _ = visit.reorganize(30)
    retracted = [t["transaction_hash"] for t in trades if t["time"] >= first]
    assert any(name in title for name in retracted for title in shown)
    left = f"{titles}.filter((title) => {retracted}.some((name) => title.includes(name)))"
    visit.until(f"{left}.length === 0")
    assert visit.page.locator("#tape-rows li").count() > 10
