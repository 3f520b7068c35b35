"""The demo: exact where it promises, lively where it should be, and whole after any restart."""

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from numpy.typing import NDArray

from appliance.chain import demo
from appliance.chain.demo import HISTORY_S, Demo
from appliance.chain.demo_book import Book
from appliance.chain.demo_market import HOURLY_TRADES, MARKETS
from appliance.chain.demo_path import excitement
from appliance.chain.log import Logs
from appliance.errors import Conflict, Retryable
from appliance.model import TRADE_SCHEMA, Mark, MarketSpec

NOW = 1_700_000_123
SYMBOLS = [market.symbol for market in MARKETS]


@cache
def day() -> list[demo.Piece]:
    return list(demo.history(1, NOW - HISTORY_S, NOW, demo.home_ticks()))


@cache
def table() -> pa.Table:
    return pa.concat_tables(piece.table for piece in reversed(day()))


def of(market: int, kinds: Sequence[str]) -> pa.Table:
    whole = table()
    wanted = pc.and_(pc.equal(whole["market_id"], market), pc.is_in(whole["kind"], pa.array(kinds)))
    return whole.filter(wanted)


def seconds(trades: pa.Table) -> Any:
    return trades["time"].cast(pa.int64()).to_numpy() // 10**6


def trades_of(trades: pa.Table) -> pa.Table:
    return trades.filter(pc.not_equal(trades["kind"], "mark"))


def test_a_day_is_86_400_trades_inside_24_hours() -> None:
    assert trades_of(table()).num_rows == 86_400
    times = seconds(table())
    assert NOW - HISTORY_S <= times.min() <= NOW - HISTORY_S + 60
    assert NOW - 60 <= times.max() < NOW
    per_market = Counter(trades_of(table())["market_id"].to_pylist())
    assert per_market == {n: 24 * m.hourly_trades for n, m in enumerate(MARKETS)}
    assert HOURLY_TRADES == 3_600


def test_the_newest_hour_comes_first_and_progress_grows() -> None:
    first = [int(seconds(piece.table).min()) for piece in day()]
    assert first == sorted(first, reverse=True)
    assert [piece.progress for piece in day()] == pytest.approx([n / 24 for n in range(1, 25)])


def test_places_on_the_chain_are_unique_and_a_block_is_a_second() -> None:
    whole = table()
    assert len(set(whole["sequence"].to_pylist())) == whole.num_rows
    assert whole["sequence"].to_pylist() == sorted(whole["sequence"].to_pylist())
    assert (whole["block_number"].to_numpy() == seconds(whole)).all()
    assert set(whole["chain_id"].to_pylist()) == {1337}
    assert whole.schema.equals(TRADE_SCHEMA)


def test_the_same_seed_and_second_give_the_same_trades() -> None:
    again = islice(demo.history(1, NOW - HISTORY_S, NOW, demo.home_ticks()), 3)
    assert all(a.table.equals(b.table) for a, b in zip(again, day(), strict=False))
    other = next(demo.history(2, NOW - HISTORY_S, NOW, demo.home_ticks()))
    assert not other.table.equals(day()[0].table)


@pytest.mark.parametrize("number", range(len(MARKETS)))
def test_prices_lie_on_the_tick_grid_and_move_like_prices(number: int) -> None:
    market = MARKETS[number]
    prices = of(number, ["mark"])["price"].to_numpy()
    assert all(price == round(price, market.tick_digits) for price in prices)
    jumps_bp = np.abs(np.diff(np.log(prices))) * 1e4
    assert jumps_bp.max() < 100
    assert abs(math.log(prices[0] / market.price)) * 1e4 < 50
    assert 40 < (prices.max() / prices.min() - 1) * 1e4 < 2_500
    assert len(set(prices.tolist())) > 200


@pytest.mark.parametrize("number", range(len(MARKETS)))
def test_each_trade_begins_where_the_last_one_ended(number: int) -> None:
    """No jump at hour borders either: what a trader pays is the mark before the trade."""
    mark = math.nan
    for row in (
        of(number, ["mark", "open", "close"])
        .select(["kind", "mark_price", "execution_price"])
        .to_pylist()
    ):
        if row["kind"] == "mark":
            before, mark = mark, row["mark_price"]
        else:
            assert math.isnan(before) or row["execution_price"] == before


@pytest.mark.parametrize("number", range(len(MARKETS)))
def test_volumes_have_heavy_tails_and_whole_lots(number: int) -> None:
    """What is closed is worth what was opened: at another price no whole number of lots."""
    market = MARKETS[number]
    volumes = volumes_of(number, demo_kinds())
    assert np.quantile(volumes, 0.99) > 5 * np.median(volumes)
    opened = volumes_of(number, ["open"])
    assert opened.min() >= market.smallest_lots / 10**market.lot_digits
    lots = opened * 10**market.lot_digits
    assert np.abs(lots - np.rint(lots)).max() < 1e-6


def volumes_of(number: int, kinds: list[str]) -> NDArray[np.float64]:
    rows = trades_of(of(number, kinds))["base_volume"].to_pylist()
    return np.array([float(volume) for volume in rows])


def test_positions_close_with_what_they_were_opened_with() -> None:
    """As the contract keeps them; so what is open is what was opened less what was closed."""
    rows = of(0, demo_kinds()).select(["kind", "position_id", "quote_volume"]).to_pylist()
    held: dict[str, Decimal] = {}
    for row in rows:
        position, quote = row["position_id"], row["quote_volume"]
        if row["kind"] in ("open", "increase"):
            held[position] = held.get(position, Decimal(0)) + quote
        else:
            assert quote == held.pop(position)
    assert len(rows) > 1_000
    assert held


def demo_kinds() -> list[str]:
    return ["open", "close", "increase", "liquidation"]


def test_every_kind_happens_and_every_side_is_known() -> None:
    kinds = Counter(table()["kind"].to_pylist())
    assert kinds["mark"] == 86_400
    assert all(kinds[kind] > 500 for kind in demo_kinds())
    assert set(trades_of(table())["side"].to_pylist()) == {"buy", "sell"}
    leverages = [max(of(n, ["open"])["leverage"].to_pylist()) for n in range(len(MARKETS))]
    assert all(x <= m.max_leverage for x, m in zip(leverages, MARKETS, strict=True))
    assert min(table()["pnl"].to_pylist()) < 0 < max(table()["pnl"].to_pylist())


def test_a_position_ends_at_most_once_and_after_it_began() -> None:
    open_now: set[str] = set()
    for row in trades_of(table()).select(["kind", "position_id"]).to_pylist():
        position = row["position_id"]
        if row["kind"] == "open":
            assert position not in open_now
            open_now.add(position)
        elif row["kind"] == "increase":
            assert position in open_now
        else:
            open_now.remove(position)


def test_trades_come_in_bursts() -> None:
    counts = np.bincount(seconds(trades_of(table())) - (NOW - HISTORY_S), minlength=HISTORY_S)
    assert counts.max() >= 8
    assert (counts == 0).mean() > 0.3
    assert counts.var() > 1.5 * counts.mean()


def test_excitement_is_the_same_wherever_it_is_cut() -> None:
    whole = excitement(1, 0, NOW, 7_200)
    halves = [excitement(1, 0, NOW, 3_000), excitement(1, 0, NOW + 3_000, 4_200)]
    assert np.concatenate(halves) == pytest.approx(whole)


def test_funding_comes_every_hour() -> None:
    hour = NOW - NOW % 3_600
    for start, trades in ((hour - 5, 40), (hour - 5, 1), (hour - 5, 0), (hour, 3)):
        span = start, hour + 5
        paths = demo._paths(1, span, [trades] * 3, demo.home_ticks())
        logs = [due.log for due in Book().logs(paths, span)]
        assert len({(log.block_number, log.log_index) for log in logs}) == len(logs)
        decoded = demo.decoder().decode(Logs.of(logs))
        assert [(m.market, m.time_us) for m in decoded.marks] == [
            (number, hour * 10**6) for number in range(3)
        ]
        assert all(abs(m.value) < 0.001 for m in decoded.marks)
        assert decoded.counts.decoded == len(logs) == 6 * trades + 3


def test_a_gap_goes_on_from_the_price_it_was_given() -> None:
    ticks = [250_000, 600_000, 190_000]
    pieces = list(demo.gap(1, NOW - 5_000, NOW, ticks))
    assert [p.progress for p in pieces] == [0.5, 1.0]
    first = pieces[0].table.filter(pc.equal(pieces[0].table["kind"], "mark"))
    for number, start in enumerate((2_500.0, 60_000.0, 1_900.0)):
        price = first.filter(pc.equal(first["market_id"], number))["price"][0].as_py()
        assert abs(math.log(price / start)) * 1e4 < 50
    last = pieces[-1].table
    for number, tick in enumerate(ticks):
        marks = last.filter(
            pc.and_(pc.equal(last["market_id"], number), pc.equal(last["kind"], "mark"))
        )
        price = marks["price"][-1].as_py()
        assert round(price * 10 ** MARKETS[number].tick_digits) == tick
    assert 4_900 <= sum(trades_of(p.table).num_rows for p in pieces) <= 5_100


def test_no_time_gives_no_pieces() -> None:
    assert list(demo.history(1, NOW, NOW, demo.home_ticks())) == []
    assert list(demo.gap(1, NOW, NOW, demo.home_ticks())) == []


def test_the_facts_are_the_originals() -> None:
    facts = [(m.symbol, m.name, m.price, m.max_leverage, m.fee / 100, m.tier) for m in MARKETS]
    assert facts == [
        ("GOLD", "Gold", 2000.5, 50, 0.3, 1),
        ("BTC", "Bitcoin", 45000, 100, 0.2, 1),
        ("ETH", "Ether", 2500, 75, 0.25, 1),
    ]
    spec = demo.decoder().specs[0]
    assert (spec.exchange, spec.quote, spec.order, spec.price_rule) == (
        "DEMO",
        "USD",
        "chain",
        "after",
    )


class Store:
    """Stands for ingest: keeps what was submitted, on a clock that only moves when slept.

    At `jump[0]` the clock leaps forward by `jump[1]` seconds, as on a machine that slept.
    """

    def __init__(
        self, now: float = NOW + 0.5, fail: int = 0, jump: tuple[float, float] = (math.inf, 0)
    ) -> None:
        self.now = now
        self.fail = fail
        self.jump = jump
        self.until = math.inf
        self.ended = asyncio.Event()
        self.after: dict[float, asyncio.Event] = {}
        self.tables: list[pa.Table] = []
        self.marks: list[Mark] = []
        self.states: list[str] = []
        self.demo: Demo | None = None

    def clock(self) -> float:
        return self.now

    async def sleep(self, wait_s: float) -> None:
        assert wait_s > 0
        self.now += wait_s
        if self.now > self.jump[0]:
            self.now += self.jump[1]
            self.jump = math.inf, 0
        if self.now >= self.until:
            self.ended.set()
        for moment in [moment for moment in self.after if moment <= self.now]:
            self.after.pop(moment).set()
        await asyncio.sleep(0)

    async def submit(
        self, trades: pa.Table, specs: Sequence[MarketSpec], source: str, marks: tuple[Mark, ...]
    ) -> None:
        if self.fail:
            self.fail -= 1
            raise Retryable("busy")
        assert [spec.symbol for spec in specs] == SYMBOLS
        assert source == "demo"
        moments = [*seconds(trades), *(mark.time_us / 1e6 for mark in marks)]
        assert max(moments) <= self.now, "a trade of the future"
        assert all(mark.kind == "funding" for mark in marks)
        self.marks += marks
        assert self.demo is not None
        self.states.append(self.demo.state)
        self.tables.append(trades)

    async def run(self, source: Demo, until: float) -> None:
        """Run `source` until the clock shows `until`, or it fails."""
        self.demo, self.until = source, until
        task = asyncio.create_task(source.run(self.submit, self.clock, self.sleep))
        ended = asyncio.create_task(self.ended.wait())
        await asyncio.wait([task, ended], return_when=asyncio.FIRST_COMPLETED)
        task.cancel()
        ended.cancel()
        await asyncio.wait([task, ended])
        if not task.cancelled():
            task.result()

    def whole(self) -> pa.Table:
        return pa.concat_tables(self.tables)


def last_times(trades: pa.Table) -> dict[str, tuple[int, float]]:
    """Return what a store would say of each market's newest trade."""
    last = {}
    for number, symbol in enumerate(SYMBOLS):
        marks = marks_of(trades, number).sort_by("sequence")
        last[symbol] = int(seconds(marks)[-1]), marks["price"][-1].as_py()
    return last


def marks_of(trades: pa.Table, market: int) -> pa.Table:
    wanted = pc.and_(pc.equal(trades["market_id"], market), pc.equal(trades["kind"], "mark"))
    return trades.filter(wanted)


def distinct(trades: pa.Table) -> int:
    return len(set(trades["sequence"].to_pylist()))


async def test_a_first_start_seeds_then_trades_live() -> None:
    store, source = Store(), Demo(seed=1)
    assert (source.state, source.progress) == ("stopped", 0.0)
    await store.run(source, NOW + 90)
    assert (source.state, source.progress, source.seeded_at) == ("stopped", 1.0, NOW)
    assert store.states == ["seeding"] * 24 + ["live"] * (len(store.states) - 24)
    live = pa.concat_tables(store.tables[24:])
    rate = trades_of(live).num_rows / 90
    assert 3 < rate < 16
    assert len(store.tables) - 24 > 90
    assert seconds(live).min() >= NOW
    assert distinct(store.whole()) == store.whole().num_rows
    assert "" not in trades_of(live)["side"].to_pylist()


async def test_a_restart_fills_the_gap_and_repeats_nothing() -> None:
    known = last_times(table())
    store = Store(now=NOW + 7_200)
    await store.run(Demo(known, seed=1), NOW + 7_220)
    filled = store.tables[0]
    assert seconds(filled).min() > max(second for second, _ in known.values())
    assert distinct(store.whole()) == store.whole().num_rows
    assert 7_100 < trades_of(store.whole()).num_rows < 7_600
    for number, symbol in enumerate(SYMBOLS):
        price = marks_of(filled, number)["price"][0].as_py()
        assert abs(math.log(price / known[symbol][1])) * 1e4 < 60


async def test_a_reorg_replaces_the_last_blocks_and_live_trading_goes_on() -> None:
    """Other trades in the same seconds, none twice, prices going on from those before."""
    store, source = Store(), Demo(seed=1)
    before: list[pa.Table] = []

    async def retract(block: int) -> dict[str, tuple[int, float]]:
        whole = store.whole()
        before.append(whole)
        kept = whole.filter(pc.less(whole["block_number"], block))
        store.tables = [kept]
        return last_times(kept)

    async def interrupt() -> tuple[int, int]:
        await minute.wait()
        return await source.reorg(20, retract)

    minute = store.after[NOW + 60] = asyncio.Event()
    task = asyncio.create_task(interrupt())
    await store.run(source, NOW + 90)
    first, last = await task
    assert last - first == 19
    whole = store.whole()
    assert distinct(whole) == whole.num_rows
    blocks = set(whole["block_number"].to_pylist())
    assert len(blocks & set(range(first, last + 1))) > 10
    hashes = {False: set(before[0]["transaction_hash"].to_pylist())}
    hashes[True] = set(store.tables[1]["transaction_hash"].to_pylist())
    assert not hashes[True] & hashes[False]
    for number in range(len(SYMBOLS)):
        prices = marks_of(whole, number).sort_by("sequence")["price"].to_numpy()[-200:]
        assert np.abs(np.diff(np.log(prices))).max() * 1e4 < 60


async def test_only_a_live_demo_is_reorganized() -> None:
    async def retract(_: int) -> dict[str, tuple[int, float]]:
        raise AssertionError("nothing may be retracted")

    with pytest.raises(Conflict, match="must be live to be reorganized, was stopped"):
        await Demo(seed=1).reorg(3, retract)


async def test_a_long_absence_is_filled_for_a_day_only() -> None:
    store = Store()
    await store.run(Demo({"GOLD": (NOW - 10**6, 2_100.0)}, seed=1), NOW + 2)
    assert seconds(store.whole()).min() >= NOW - HISTORY_S
    assert trades_of(pa.concat_tables(store.tables[:24])).num_rows == 86_400
    assert abs(marks_of(store.tables[0], 0)["price"][0].as_py() / 2_100 - 1) < 0.01


async def test_a_seeding_that_was_killed_is_repeated_to_the_digit() -> None:
    """Killed after 5 of 24 hours: the same 24 tables come again, then what is missing since."""
    known = last_times(pa.concat_tables(piece.table for piece in day()[:5]))
    store = Store(now=NOW + 600)
    await store.run(Demo(known, seed=1, unfinished=NOW), NOW + 605)
    assert all(a.equals(b.table) for a, b in zip(store.tables[:24], day(), strict=True))
    assert seconds(store.tables[24]).min() >= NOW
    assert trades_of(store.tables[24]).num_rows == 600


async def test_a_seeding_that_ended_unnoticed_is_not_repeated() -> None:
    store = Store(now=NOW + 600)
    known = dict.fromkeys(SYMBOLS, (NOW + 5, 2000.0))
    await store.run(Demo(known, seed=1, unfinished=NOW), NOW + 605)
    assert seconds(store.whole()).min() > NOW + 5


async def test_a_busy_store_is_asked_again() -> None:
    known = dict.fromkeys(SYMBOLS, (NOW - 101, 2000.0))
    store, calm = Store(fail=3), Store()
    await store.run(Demo(known, seed=1), NOW + 20)
    await calm.run(Demo(known, seed=1), NOW + 20)
    assert trades_of(store.tables[0]).num_rows == 100
    assert store.tables[0].equals(calm.tables[0])


async def test_a_failing_store_ends_the_run() -> None:
    async def broken(*_: object) -> None:
        raise ValueError("no")

    source = Demo({"GOLD": (NOW - 100, 2_000.0)})
    with pytest.raises(ValueError, match="no"):
        await source.run(broken, lambda: float(NOW))
    assert source.state == "stopped"


async def test_a_machine_that_slept_catches_up() -> None:
    store = Store(jump=(NOW + 20, 7_200))
    source = Demo(dict.fromkeys(SYMBOLS, (NOW - 10, 2000.0)), seed=1)
    await store.run(source, NOW + 7_400)
    times = np.unique(seconds(store.whole()))
    assert np.diff(times).max() < 60
    assert distinct(store.whole()) == store.whole().num_rows
    assert times.max() > NOW + 7_380
