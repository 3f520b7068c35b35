"""The order of all markets."""

import asyncio

import pytest

from appliance.errors import Retryable
from appliance.model import Market, MarketId, MarketSpec
from appliance.statistics.board import KEYS, Board, Standings, empty
from appliance.statistics.summaries import Summaries, Summary
from appliance.store.catalogue import Catalogue
from tests.board_world import FakeStore, standing
from tests.conftest import NOW, Opened
from tests.oracle import T, table

MARKETS = Catalogue([Market(MarketId(i), MarketSpec(f"M{i}")) for i in range(1, 7)])


class Stopwatch:
    """A clock that is put on by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def board(numbers: FakeStore, stopwatch: Stopwatch) -> Board:
    return Board(numbers, MARKETS, lambda: float(NOW), stopwatch)  # type: ignore[arg-type]


@pytest.fixture
def numbers() -> FakeStore:
    """Hold prices of five markets, of which three were traded, one of them without a price."""
    found = FakeStore()
    found.prices = {1: 5.0, 2: 1e-9, 3: 7.0, 4: 2.0, 5: 2.0}
    found.days = {
        1: (4.0, 6.0, 3.0, 5.0, 10.0, 50.0, 9),
        2: (2e-9, 2e-9, 1e-9, 1e-9, 1e12, 1e3, 1),
        4: (None, None, None, None, 3.0, 6.0, 2),  # type: ignore[dict-item] # as the engine says it
        6: (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1),  # a price that came while it was read
    }
    return found


@pytest.mark.parametrize(
    ("key", "down", "up"),
    [
        ("quote_volume_24h", [2, 1, 4, 3, 5], [3, 5, 4, 1, 2]),
        ("volume_24h", [2, 1, 4, 3, 5], [3, 5, 4, 1, 2]),
        ("trades_24h", [1, 4, 2, 3, 5], [3, 5, 2, 4, 1]),
        ("current_price", [3, 1, 4, 5, 2], [2, 4, 5, 1, 3]),
        ("price_change_24h", [1, 3, 4, 5, 2], [2, 3, 4, 5, 1]),
        ("price_change_percent_24h", [1, 3, 4, 5, 2], [2, 3, 4, 5, 1]),
        ("high_24h", [1, 2], [2, 1]),
        ("low_24h", [1, 2], [2, 1]),
    ],
)
async def test_markets_are_ordered_by_each_number(
    numbers: FakeStore, key: str, down: list[int], up: list[int]
) -> None:
    """Equal ones by age; without a trade a number is 0, but a high and a low are not known."""
    standings = await board(numbers, Stopwatch()).standings()
    assert down == standings.ordered(key, descending=True).tolist()  # type: ignore[arg-type]
    assert up == standings.ordered(key, descending=False).tolist()  # type: ignore[arg-type]
    assert [2, 1, 4, 6] == standings.busiest.tolist()
    assert [0.0, 6.0, 1e3, 0.0] == standings.volumes(standings.ids[[2, 3, 1, 4]]).tolist()


def test_no_market_has_no_order() -> None:
    for key in KEYS:
        assert [] == empty().ordered(key, descending=True).tolist()
    assert [0.0] == empty().volumes(standing({}, 1).ids).tolist()


async def test_an_order_is_good_for_a_second_or_twenty_times_its_cost(numbers: FakeStore) -> None:
    """And a revision ends it."""
    stopwatch = Stopwatch()
    own = board(numbers, stopwatch)
    await own.standings()
    stopwatch.now += 0.9
    await own.standings()
    assert 2 == numbers.asked
    stopwatch.now += 0.2
    await own.standings()
    assert 4 == numbers.asked
    own.forget()
    await own.standings()
    assert 6 == numbers.asked


async def test_who_asks_at_once_shares_a_reading(numbers: FakeStore) -> None:
    own = board(numbers, Stopwatch())
    await asyncio.gather(*(own.standings() for _ in range(9)))
    assert 2 == numbers.asked


async def test_a_slow_reading_holds_nobody_up(
    numbers: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was known before has to do; the reading goes on and its order is the next one."""
    monkeypatch.setattr("appliance.statistics.board._PATIENCE_S", 0.0)
    own, gate = board(numbers, Stopwatch()), asyncio.Event()
    query = numbers.query

    async def slow(name: str, **bounds: int) -> object:
        await gate.wait()
        return await query(name, **bounds)

    monkeypatch.setattr(numbers, "query", slow)
    assert [] == (await own.standings()).busiest.tolist()
    monkeypatch.setattr("appliance.statistics.board._PATIENCE_S", 9.0)
    gate.set()
    assert 5 == len((await own.standings()).ids)
    assert 2 == numbers.asked


async def test_a_revision_while_it_is_read_makes_it_read_again(
    numbers: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of it may be in what was read."""
    own = board(numbers, Stopwatch())
    query = numbers.query

    async def revised(name: str, **bounds: int) -> object:
        own.forget()
        return await query(name, **bounds)

    monkeypatch.setattr(numbers, "query", revised)
    await own.standings()
    monkeypatch.setattr(numbers, "query", query)
    await own.standings()
    assert 4 == numbers.asked


async def test_a_failing_store_is_told_and_asked_again(numbers: FakeStore) -> None:
    own = board(numbers, Stopwatch())
    numbers.failure = Retryable("busy")
    with pytest.raises(Retryable):
        await own.standings()
    numbers.failure = None
    assert 5 == len((await own.standings()).ids)


def test_the_board_and_the_summaries_say_the_same(opened: Opened) -> None:
    """Of a market that trades, one that rests, and one that never had a price."""
    minute = 60 * 10**6
    for number, (symbol, ages, price) in enumerate(
        (("BUSY", (1_441, 1_439, 1_400, 90, 3), 2.0), ("DEAD", (9_000,), 7.0), ("NEW", (1,), None))
    ):
        trades = [
            T(NOW * 10**6 - age * minute, price and price + i, 10**18, trade_id=f"{number}-{i}")
            for i, age in enumerate(ages)
        ]
        opened.store.writer.submit(table(trades), (MarketSpec(symbol),)).result(30)
    store, markets = opened.store, opened.store.catalogue.all()

    async def read() -> tuple[Standings, dict[int, Summary]]:
        own = Board(store.reader, store.catalogue, lambda: float(NOW))
        summaries = Summaries(store.reader, opened.metrics.cache_lookups, lambda: float(NOW))
        return await own.standings(), await summaries.of(markets)

    standings, summaries = asyncio.run(read())
    busy, dead, new = (int(market.id) for market in markets)
    assert [busy, dead] == standings.ids.tolist() == sorted(summaries)
    assert [busy, new] == standings.busiest.tolist()  # volume it has
    expected = {
        "quote_volume_24h": summaries[busy].quote_volume,
        "volume_24h": summaries[busy].volume,
        "trades_24h": summaries[busy].trades,
        "price_change_24h": summaries[busy].price_change,
        "price_change_percent_24h": summaries[busy].price_change_percent,
        "high_24h": summaries[busy].high,
        "low_24h": summaries[busy].low,
    }
    own = standings.day_ids.tolist().index(busy)
    assert expected == {key: column[own] for key, column in standings.day.items()}
    assert [summaries[busy].price, summaries[dead].price] == standings.prices[:2].tolist()
    assert new not in summaries
