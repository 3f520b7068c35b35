"""Every state of the page: what is said of it, in words, and to a screen reader."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import pytest
from playwright.sync_api import Browser, Route

from appliance.errors import Retryable
from appliance.status import PartState, StatusReport
from tests.browser.visit import CHART, FakeStream, Visit
from tests.web_server import Web, serving

pytestmark = pytest.mark.browser
LAG_S: Final = 252
BLOCKS: Final = {"block": 79_213_940, "head": 79_213_940, "behind": 0, "chain_id": 1}
Prepare = Callable[[Web], None]


def reporting(part: PartState | Callable[[], PartState], demo: bool = False) -> Prepare:
    """Let the server report this part."""

    def prepare(web: Web) -> None:
        now = part() if callable(part) else part

        async def report() -> StatusReport:
            return StatusReport(now.ready, demo, 10_400_000, 3.6, 37, [now])

        web.status.report = report  # type: ignore[method-assign]

    return prepare


def chain(state: str, reason: str | None, **numbers: int) -> Callable[[], PartState]:
    """Return what makes the state of a chain whose newest block is LAG_S old."""

    def made() -> PartState:
        final = {"final": 79_213_880, "time": int(time.time()) - LAG_S}
        return PartState("chain 1", state, reason, 0.62, BLOCKS | final | numbers)

    return made


def failing_store(web: Web) -> None:
    reporting(PartState("store", "failing", "no answer within 5 s"))(web)
    web.datafeed.failure = Retryable("the store takes too long")


@dataclass
class State:
    """What is prepared and opened, and what is then said."""

    path: str
    prepare: Prepare
    chart: str
    pill: str
    says: dict[str, str]


OK = reporting(PartState("store", "ok"))
STATES = {
    "live": State("/?symbol=GOLD", OK, "ready", "Live", {"#strip-facts": "Readers 37"}),
    "empty market": State(
        "/?symbol=TINY",
        OK,
        "empty",
        "Live",
        {"#chart-state": "The first trade in TINY draws the first bar."},
    ),
    "no such symbol": State(
        "/?symbol=%3Cb%3ENOPE",
        OK,
        "error",
        "Live",
        {"#chart-state": "No market called “<b>NOPE”", "#picker": "No market"},
    ),
    "demo": State(
        "/",
        reporting(PartState("demo", "live"), demo=True),
        "ready",
        "Demo",
        {"#banner": "Demo market Prices are simulated.", "#strip-facts": "Source simulator"},
    ),
    "syncing": State(
        "/?symbol=WETH/USDC",
        reporting(chain("syncing", "about 12 min left", behind=882_862, blocks_per_second=1_226)),
        "empty",
        "Syncing 62 %",
        {
            "#banner": "About 12 min left at 1,226 blocks/s.",
            "#tape-state": "They start once block 79,213,940 is read, about 12 min left.",
            "#strip-facts": "1,226 blocks/s At 79,213,940 Head 79,213,940 Behind 882,862 blocks",
        },
    ),
    "source stalled": State(
        "/?symbol=GOLD",
        reporting(chain("failing", "the node answers 429, too many requests")),
        "ready",
        "Stale 4 min",
        {
            "#banner strong": "No new block for 4 min ",
            "#banner span": "The node answers 429, too many requests. Nothing is lost;",
            "#strip-facts": "Final 79,213,880 Lag 4 min ",
            "#change": "at ",
        },
    ),
    "store failing": State(
        "/?symbol=GOLD",
        failing_store,
        "error",
        "Stale",
        {
            "#banner": "The store does not answer No answer within 5 s. Bars on screen",
            "#chart-state": "Bars did not load the store takes too long (503). Nothing is lost.",
            "#tape-state": "Trades did not load",
        },
    ),
}


@pytest.fixture(scope="module")
def web(browser: Browser) -> Iterator[Web]:
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def reader(browser: Browser, web: Web) -> Iterator[Visit]:
    """One page for all states."""
    context = browser.new_context(
        base_url=f"http://127.0.0.1:{web.port}",
        viewport={"width": 1440, "height": 900},
        color_scheme="dark",
        reduced_motion="reduce",  # contrast is not measured half-way
    )
    visit = Visit(context.new_page())
    yield visit
    assert [] == visit.foreign
    context.close()


@pytest.fixture(scope="module")
def stream(reader: Visit) -> FakeStream:
    return FakeStream(reader.page)


@pytest.mark.parametrize("name", STATES)
@pytest.mark.usefixtures("stream")
def test_each_state_says_what_it_is(reader: Visit, web: Web, name: str) -> None:
    """And axe-core finds nothing wrong in it, dark and light."""
    state = STATES[name]
    state.prepare(web)
    try:
        reader.page.goto(state.path)
        reader.until(f"{CHART}.state === '{state.chart}'")
        reader.until(f"document.getElementById('pill').innerText.includes('{state.pill[:5]}')")
        assert state.pill in reader.text("#pill").replace("\u2009", " ")
        for selector, words in state.says.items():
            assert words in reader.text(selector).replace("\u2009", " "), selector
        assert [] == reader.axe()
        if name in ("live", "source stalled"):
            reader.page.emulate_media(color_scheme="light")
            assert [] == reader.axe()
            reader.page.emulate_media(color_scheme="dark")
    finally:
        web.datafeed.failure = None
    unexpected = [text for text in reader.complaints if "503" not in text]
    reader.complaints.clear()
    assert [] == unexpected


HATCHED = """async () => {
    const { pictureOf } = await import('/static/js/shot.js');
    const { chart } = window.__chart;
    const canvas = pictureOf(chart);
    const scale = canvas.width / document.getElementById('chart-canvas').clientWidth;
    const bars = window.__chart.candles();
    const edges = [bars[0], bars.at(-1)].map((bar) => chart.timeScale().timeToCoordinate(bar.time));
    const [first, last] = edges.map((x) => Math.round(x * scale));
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, 300);
    const count = (from, to) => {
        let found = 0;
        for (let y = 100; y < 300; y++) for (let x = from; x < to; x++) {
            const i = 4 * (y * canvas.width + x);
            if (data[i] > 32 && data[i] < 46 && data[i + 1] > 38 && data[i + 1] < 52) found++;
        }
        return found;
    };
    return [count(first - 60, first - 10), count(last + 8, last + 58)];
}"""


@pytest.mark.parametrize("name", ["source stalled", "syncing"])
@pytest.mark.usefixtures("stream")
def test_time_without_data_is_hatched(reader: Visit, web: Web, name: str) -> None:
    """Beyond the last bar, and nowhere else."""
    STATES[name].prepare(web)
    reader.page.goto("/?symbol=GOLD")
    reader.until(f"({HATCHED})().then(([, right]) => right > 300)")
    assert reader.page.evaluate(HATCHED)[0] < 20


@pytest.mark.usefixtures("stream")
def test_loading_shows_nothing_for_a_moment_and_then_bars_in_place(reader: Visit, web: Web) -> None:
    OK(web)
    held: list[Route] = []
    reader.page.goto("/?symbol=GOLD")
    reader.until(f"{CHART}.state === 'ready'")

    def hold(route: Route) -> None:
        held.append(route)

    reader.page.route("**/api/lightweight/ohlcv*", hold)
    shown = "getComputedStyle(document.querySelector('.ghost-bars')).visibility"
    click = "document.querySelector('[data-interval=\"5m\"]').click()"
    assert reader.page.evaluate(f"({click}, {shown})") == "hidden"  # in one step: time is short
    reader.until(f"{shown} === 'visible'")
    assert reader.chart("state") == "loading"
    for route in held:
        route.continue_()
    reader.page.unroute("**/api/lightweight/ohlcv*")
    reader.until(f"{CHART}.state === 'ready' && {CHART}.interval === '5m'")


def test_a_lost_connection_becomes_stale_and_says_since_when(
    reader: Visit, web: Web, stream: FakeStream
) -> None:
    """Reconnecting is a word of hope; after half a minute it is none any more."""
    OK(web)
    page = reader.page
    page.clock.install()
    page.goto("/?symbol=GOLD")
    reader.until("document.getElementById('pill').dataset.kind === 'live'")
    stream.cut()
    reader.until("document.getElementById('pill').dataset.kind === 'reconnecting'")
    page.clock.fast_forward(31_000)
    reader.until("document.getElementById('pill').dataset.kind === 'stale'")
    assert "No connection for" in reader.text("#banner")
    assert page.is_visible("#banner >> text=Try now")
    assert [] == reader.axe()
    stream.listen()
    page.click("#banner >> text=Try now")
    reader.until("document.getElementById('pill').dataset.kind === 'live'")


@pytest.mark.usefixtures("stream")
def test_words_of_strangers_stay_words(reader: Visit, web: Web) -> None:
    """A market's name is whatever a contract calls itself."""
    OK(web)
    name = "<img src=x onerror=alert(1)>"
    gold = web.parts.catalogue.resolve("GOLD")
    object.__setattr__(gold.spec, "name", name)
    reader.page.goto("about:blank")
    reader.complaints.clear()  # of servers that failed on purpose
    try:
        reader.page.goto("/?symbol=GOLD")
        reader.until(f"{CHART}.state === 'ready'")
        assert name in reader.text("#picker")
        assert name in reader.text(".market[data-symbol=GOLD]")
        assert reader.page.locator("main img").count() == 0
    finally:
        object.__setattr__(gold.spec, "name", "Gold")
    assert [] == reader.complaints
