"""The chart as a reader sees it: bars, history, intervals, legend."""

import time

import pytest

from tests.browser.visit import CHART, Visit

pytestmark = pytest.mark.browser


def test_the_first_candles_come_with_the_page(visit: Visit) -> None:
    """No request for bars has been answered when they are on screen."""
    shown = visit.open().page.evaluate("performance.getEntriesByName('first-candles')[0].startTime")
    answered = visit.page.evaluate(
        "performance.getEntriesByType('resource')"
        ".filter((entry) => entry.name.includes('/ohlcv')).map((entry) => entry.responseEnd)"
    )
    assert all(shown < at for at in answered)
    assert visit.candle_pixels() > 2000
    assert int(visit.chart("bars")) >= 400
    # What tests/js/page.test.js computes, as it comes over the wire.
    scripts = visit.page.evaluate(
        """(shown) => performance.getEntriesByType('resource')
            .filter(({ name, startTime }) => name.includes('/static/js/') && startTime < shown)
            .map(({ encodedBodySize }) => encodedBodySize)""",
        shown,
    )
    assert len(scripts) > 30
    assert sum(scripts) <= 40_000


def test_bars_move(visit: Visit) -> None:
    """Live updates change the last bar without a reload."""
    visit.open("/?symbol=GOLD&interval=1s")
    before = (visit.chart("lastTime"), visit.chart("lastClose"))
    visit.until(f"{CHART}.lastTime > {before[0]} && {CHART}.lastClose !== '{before[1]}'")


def test_bars_are_the_same_after_a_reload(visit: Visit) -> None:
    """What the stream built is what the store holds."""
    visit.open("/?symbol=BTC&interval=1s")
    visit.until("window.__chart.candles().filter((bar) => bar.closed).length >= 3", 20)
    now = int(visit.chart("lastTime"))
    first = {b["time"]: b for b in visit.bars() if b["time"] < now}
    visit.open("/?symbol=BTC&interval=1s")
    second = {b["time"]: b for b in visit.bars()}
    shared = first.keys() & second.keys()
    assert len(shared) > 300
    assert {t: first[t] for t in shared} == {t: second[t] for t in shared}


def test_history_has_no_end_and_does_not_move_the_view(visit: Visit) -> None:
    """Older bars join on the left while the bars in sight stay where they are."""
    visit.open()
    bars = int(visit.chart("bars"))
    seen = visit.show_bars(40, 160)
    visit.until(f"Number({CHART}.bars) > {bars + 100}")
    time.sleep(0.2)
    assert seen == visit.visible_times()
    times = [bar["time"] for bar in visit.bars()]
    assert times == sorted(set(times))


def test_a_change_of_interval_keeps_the_visible_time(visit: Visit) -> None:
    """The edges move by less than one bar of the larger interval."""
    visit.open()
    seen = visit.show_bars(150, 400)
    visit.choose_interval("5m")
    later = visit.visible_times()
    assert list(later) == pytest.approx(list(seen), abs=300)
    visit.choose_interval("1m")
    back = visit.visible_times()
    assert list(back) == pytest.approx(list(seen), abs=60)


def test_a_change_of_interval_keeps_following_now(visit: Visit) -> None:
    """A reader who watches the newest bar still does, also after a day and back."""
    visit.open()
    start, _ = visit.visible_times()
    for name in ("1d", "1m"):
        visit.choose_interval(name)
        assert visit.visible_times()[1] == int(visit.chart("lastTime"))
    assert abs(visit.visible_times()[0] - start) <= 120


def test_rare_intervals_are_in_the_menu(visit: Visit) -> None:
    visit.open()
    visit.page.click("[aria-label='More intervals']")
    visit.page.click("role=menuitemradio[name='30 minutes 30m']")
    visit.until(f"{CHART}.interval === '30m'")
    assert "30m" in (visit.page.text_content(".interval-more") or "")


def test_the_legend_follows_the_crosshair_and_returns_to_the_last_bar(visit: Visit) -> None:
    visit.open()
    last = visit.chart("lastTime")
    legend = "document.getElementById('legend').dataset.time"
    assert visit.page.evaluate(legend) == last
    visit.page.mouse.move(600, 450)
    visit.until(f"{legend} < {last}")
    assert "final" in (visit.page.text_content("#legend") or "")
    visit.page.mouse.move(600, 20)
    visit.until(f"{legend} === {CHART}.lastTime")
    visit.until("document.getElementById('legend').textContent.includes('forming')", 90)


def test_the_arrow_keys_walk_the_bars_and_say_them(visit: Visit) -> None:
    """Each bar is a sentence in the polite live region."""
    visit.open()
    visit.page.focus("#chart-canvas")
    visit.page.keyboard.press("ArrowLeft")
    visit.page.keyboard.press("ArrowLeft")
    visit.until("document.getElementById('legend').dataset.time < " + visit.chart("lastTime"))
    visit.until(
        "/O .* H .* L .* C .*Volume/.test(document.getElementById('announcer').textContent)"
    )


def test_log_and_percent_scales_switch_on_and_off(visit: Visit) -> None:
    visit.open()
    mode = "window.__chart.chart.priceScale('right').options().mode"
    for name, expected in (("log", 1), ("percent", 2), ("percent", 0)):
        visit.page.click(f"#scale-modes [data-mode={name}]")
        assert visit.page.evaluate(mode) == expected
