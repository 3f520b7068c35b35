"""Every kind of damage to candles is found, named and repaired; nothing else is."""

import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from appliance.errors import Conflict, Retryable
from appliance.model import MarketSpec, Revision
from appliance.store import verify
from appliance.store.compare import Found, compare, spans
from appliance.store.journal import Span
from appliance.store.pieces import END, Piece, parts, pieces, weights
from appliance.store.rebuild import DAY_S, run
from appliance.store.report import Report
from appliance.store.verify import State, Verifier
from tests.conftest import NOW, Opened, Opener
from tests.oracle import T, table
from tests.test_store_damage import part_of, whole_months, zeroed
from tests.test_store_retract import EVERYTHING, ask

GOLD, SILVER, POOL = MarketSpec("GOLD"), MarketSpec("SILVER"), MarketSpec("POOL", order="chain")
DAY = NOW // DAY_S * DAY_S
YEAR_END = 1_735_689_600  # 2025-01-01 00:00:00 UTC


def trade(second: int, price: float | None = 5.0, **other: Any) -> T:
    """Return a trade of GOLD; its id is its second."""
    return T(second * 10**6, price, 10**18 + second, trade_id=str(second), **other)


def put(opened: Opened, spec: MarketSpec, rows: list[T]) -> None:
    """Store trades."""
    opened.store.writer.submit(table(rows), (spec,)).result(60)


def fill(opened: Opened) -> None:
    """Store three markets over days, and over the end of a month and a year."""
    walk = [trade(DAY + 1_700 * i, 5.0 + i % 7, side=["buy", "sell", ""][i % 3]) for i in range(90)]
    edges = [trade(YEAR_END + s, 2.0 + s % 3) for s in (-3601, -1, 0, 1, 59, 60, 3600)]
    put(opened, GOLD, walk + edges)
    put(opened, SILVER, [trade(DAY + i, None) for i in range(3)])  # volume without a price
    put(opened, SILVER, [trade(DAY + 7_200, 3.0, kind="mark"), trade(DAY + 9, 0.1 + 0.2)])
    chain = [T((DAY + 60 * b) * 10**6, 1 / b, b, block=b, log_index=b % 3) for b in range(1, 80)]
    put(opened, POOL, [*chain[::2], *chain[1::2]])
    late = [trade(DAY + 5, 9.0, kind="liquidation"), trade(DAY + 1, 1.0)]
    put(opened, GOLD, late)


def finished(verifier: Verifier) -> State:
    """Wait until no run goes on."""
    deadline = time.monotonic() + 60
    while (state := verifier.state()).running:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return state


def verified(opened: Opened, *, repair: bool = False, recent: bool = False) -> Report:
    """Verify to the end."""
    opened.store.verifier.start(repair=repair, recent=recent)
    state = finished(opened.store.verifier)
    assert (None, 1.0) == (state.error, state.progress)
    assert state.report is not None
    return state.report


def counts(report: Report) -> dict[str, tuple[int, int, int]]:
    """Return differing, missing and extra candles of the intervals that have any."""
    rows = {i.interval: (i.differing, i.missing, i.extra) for i in report.intervals}
    return {name: row for name, row in rows.items() if any(row)}


# -- good data --


def test_nothing_is_found_on_good_data(opened: Opened) -> None:
    """Of many markets, with null prices, buckets of marks alone, and edges of months and years."""
    fill(opened)
    report = verified(opened)
    assert (True, 0, 0, {}) == (report.equal, report.found, report.remaining, counts(report))
    (stored,) = ask(opened, "SELECT uniqExact(interval, market_id, bucket) FROM candles")[0]
    assert stored == sum(i.checked for i in report.intervals)
    assert ["1s", "1m", "5m", "15m", "1h", "4h", "1d"] == [i.interval for i in report.intervals]
    assert (YEAR_END - DAY_S, DAY + DAY_S) == (report.first, report.last)
    assert (report.last - report.first) // DAY_S + 1 == report.days_checked


def test_an_empty_store_is_equal(opened: Opened) -> None:
    report = verified(opened)
    assert (True, 0, [], 0) == (report.equal, report.first, report.intervals, report.days_checked)


def test_only_recent_days_are_read_if_asked(opened: Opened) -> None:
    """Old damage is not seen then, and damage of today is."""
    today = int(time.time()) // DAY_S * DAY_S
    put(opened, GOLD, [trade(YEAR_END), trade(today - DAY_S * (verify.RECENT_DAYS - 1))])
    ask(opened, f"DELETE FROM candles WHERE bucket < toDateTime({DAY})")
    report = verified(opened, recent=True)
    assert (True, 7) == (report.equal, sum(i.checked for i in report.intervals))
    assert not verified(opened).equal
    ask(opened, "TRUNCATE TABLE candles")
    assert verified(opened, recent=True).found == 7


# -- damage --


def row(interval: int, bucket: int, market: int = 1, **columns: str) -> str:
    """Return a statement that adds a part of a candle, which adds nothing but `columns`."""
    parts = {"open": "argMinState(NULL::Nullable(Float64), toUInt128(0))"}
    parts |= {"high": "NULL", "low": "NULL"}
    parts |= {"close": "argMaxState(NULL::Nullable(Float64), toUInt128(0))"}
    parts |= {"base_volume": "0", "first_sequence": f"{2**64 - 1}", "rows": "0"} | columns
    return (
        f"INSERT INTO candles (interval, market_id, bucket, {', '.join(parts)}) "
        f"SELECT {interval}, {market}, toDateTime({bucket}), {', '.join(parts.values())}"
    )


_LATEST = f"toUInt128('{2**128 - 1}')"
_ALL = {"1s": (0, 5, 0), "1m": (0, 2, 0), "5m": (0, 2, 0), "15m": (0, 2, 0), "1h": (0, 2, 0)}
_ALL |= {"4h": (0, 1, 0), "1d": (0, 1, 0)}


@dataclass
class Damage:
    """What is done to the candles, and what must be found: by interval, and on which days."""

    statement: str
    expected: dict[str, tuple[int, int, int]]
    problem: str
    days: list[tuple[int, int]]


DAMAGE = {
    "a missing bucket": Damage(
        f"DELETE FROM candles WHERE market_id = 1 AND interval = 60 AND bucket = {DAY}",
        {"1m": (0, 1, 0)},
        "missing",
        [(DAY, 1)],
    ),
    "doubled rows": Damage(
        "INSERT INTO candles SELECT * FROM candles "
        f"WHERE market_id = 1 AND interval = 900 AND bucket = {DAY + 900}",
        {"15m": (1, 0, 0)},
        "wrong base volume, quote volume, trades, rows",
        [(DAY, 1)],
    ),
    "a high that is wrong by a bit": Damage(
        row(14_400, DAY, high="11.000000000000002"), {"4h": (1, 0, 0)}, "wrong high", [(DAY, 1)]
    ),
    "a low where there is no price": Damage(
        row(60, DAY + 7_200, 2, low="2.9"), {"1m": (1, 0, 0)}, "wrong low", [(DAY, 2)]
    ),
    "a volume that is wrong by the last digit": Damage(
        row(1, DAY, base_volume="0.000000000000000001"),
        {"1s": (1, 0, 0)},
        "wrong base volume",
        [(DAY, 1)],
    ),
    "a wrong open": Damage(
        row(300, DAY, open="argMinState(7.0::Nullable(Float64), toUInt128(0))"),
        {"5m": (1, 0, 0)},
        "wrong open",
        [(DAY, 1)],
    ),
    "a wrong close": Damage(
        row(86_400, DAY, close=f"argMaxState(7.0::Nullable(Float64), {_LATEST})"),
        {"1d": (1, 0, 0)},
        "wrong close",
        [(DAY, 1)],
    ),
    "a wrong sequence": Damage(
        row(3_600, DAY, first_sequence="1"), {"1h": (1, 0, 0)}, "wrong first sequence", [(DAY, 1)]
    ),
    "an extra bucket": Damage(
        row(60, DAY + 60 * 7), {"1m": (0, 0, 1)}, "has no trades", [(DAY, 1)]
    ),
    "a candle of a day without trades": Damage(
        row(86_400, DAY - 9 * DAY_S), {"1d": (0, 0, 1)}, "has no trades", [(DAY - 9 * DAY_S, 1)]
    ),
    "an interval that is not stored": Damage(
        row(7, DAY), {"7s": (0, 0, 1)}, "has no trades", [(DAY, 1)]
    ),
    "a market that does not exist": Damage(
        row(60, DAY, 77, rows="1"), {"1m": (0, 0, 1)}, "has no trades", [(DAY, 77)]
    ),
    "a missing day": Damage(
        f"DELETE FROM candles WHERE bucket >= {DAY} AND bucket < {DAY + DAY_S} AND market_id = 2",
        _ALL,
        "missing",
        [(DAY, 2)],
    ),
    "a missing interval": Damage(
        "DELETE FROM candles WHERE interval = 86400",
        {"1d": (0, 6, 0)},
        "missing",
        [(YEAR_END - DAY_S, 1), (YEAR_END, 1), (DAY, 1), (DAY + DAY_S, 1), (DAY, 2), (DAY, 3)],
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_found_named_and_repaired(opened: Opened, name: str) -> None:
    """The repair leaves the candles as they were, to the last bit, and is published."""
    fill(opened)
    expected = ask(opened, EVERYTHING)
    damage = DAMAGE[name]
    ask(opened, damage.statement)
    found = verified(opened)
    assert damage.expected == counts(found)
    assert (False, damage.problem) == (found.equal, found.examples[0].problem)
    assert sum(map(sum, damage.expected.values())) == found.found == found.remaining
    assert len(damage.days) == found.unequal_days
    assert expected != ask(opened, EVERYTHING)
    commits = len(opened.commits)
    repaired = verified(opened, repair=True)
    assert (True, damage.expected, 0) == (repaired.equal, counts(repaired), repaired.remaining)
    assert expected == ask(opened, EVERYTHING)
    revisions = [r for commit in opened.commits[commits:] for r in commit.revisions]
    touched = {(day, r.market_id) for r in revisions for day in range(r.first, r.last + 1, DAY_S)}
    assert set(damage.days) == touched
    assert {"repair"} == {r.reason for r in revisions}
    assert verified(opened).found == 0


def test_a_repair_goes_on_with_the_numbers_of_commits(opened: Opened) -> None:
    """Whoever waits for a commit's number sees the repair pass."""
    fill(opened)
    writer = opened.store.writer
    before = writer.finished
    opened.store.repair([Span(1, DAY, DAY + DAY_S - 1)]).result(60)
    assert (before + 1, before + 1) == (writer.started, writer.finished)
    commit = opened.commits[-1]
    assert (before + 1, 0) == (commit.number, commit.trades.num_rows)
    assert (Revision(1, DAY, DAY + DAY_S - 1, "repair"),) == commit.revisions
    assert ["GOLD"] == [market.symbol for market in commit.markets]


def test_what_is_listed_is_bounded(opened: Opened) -> None:
    """And counted in full."""
    put(opened, GOLD, [trade(DAY + 2 * DAY_S * i) for i in range(70)])
    ask(opened, "TRUNCATE TABLE candles")
    report = verified(opened)
    assert (7 * 70, 70) == (report.found, report.unequal_days)
    assert (50, True) == (len(report.ranges), len(report.examples) <= 50)


def test_what_retention_took_is_not_compared(opened: Opened) -> None:
    """Neither days whose trades are not complete, nor candles that are not kept."""
    fill(opened)
    client = opened.store.engine.client()
    ask(opened, f"DELETE FROM candles WHERE interval = 1 AND bucket < {DAY + DAY_S}")
    whole = Piece(1, 3, 0, END, 1)
    assert sum(f.unequal for f in compare(client, whole, {1: DAY + DAY_S})) == 0
    assert sum(f.unequal for f in compare(client, whole, {})) > 90
    run(client, "delete_trades", {"markets": [3], "block": 0, "from": DAY, "to": DAY + DAY_S})
    kept = list(pieces(client, weights(client, 0), 0, {3: DAY + 5}))
    assert [(1, 2, 0), (3, 3, DAY + DAY_S)] == [
        (p.first_market, p.last_market, p.first) for p in kept
    ]
    assert sum(f.unequal for p in kept for f in compare(client, p, {1: DAY + DAY_S})) == 0


@pytest.mark.parametrize("damaged_table", ["candles", "trades"])
def test_damaged_parts_are_named_and_put_aside(open_store: Opener, damaged_table: str) -> None:
    """What they held is made anew; trades that are lost with one are said to be, also later."""
    opened = whole_months(open_store)
    partition = "2025" if damaged_table == "candles" else "202505"
    opened.store.writer.call(lambda _: opened.store._commits.rest()).result(60)
    zeroed(part_of(opened, damaged_table, partition) / "data.bin")
    report = verified(opened)
    assert (False, 1, []) == (report.equal, len(report.damaged), report.lost)
    assert report.damaged[0].startswith(f"part {partition}_")
    assert opened.store.verifier.last == report
    ask(opened, "SYSTEM START MERGES")  # without them nothing can be deleted
    repaired = verified(opened, repair=True)
    lost = [] if damaged_table == "candles" else [True]
    assert (True, 1) == (repaired.equal, len(repaired.damaged))
    assert lost == ["trades of GOLD" in sentence for sentence in repaired.lost]
    again = verified(opened)
    assert (True, [], repaired.lost) == (again.equal, again.damaged, again.lost)


# -- pieces --


def _pieces(opened: Opened, most: int, first: int = 0) -> list[Piece]:
    client = opened.store.engine.client()
    return list(pieces(client, weights(client, first), first, {}, most))


def test_pieces_are_bounded_and_leave_nothing_out(opened: Opened) -> None:
    """Small markets share one; a large one is cut by months, a large month by days."""
    put(opened, GOLD, [trade(DAY - 40 * DAY_S + 7_200 * i) for i in range(600)])
    put(opened, SILVER, [trade(DAY)])
    put(opened, POOL, [T(DAY * 10**6, 1.0, 1, block=1)])
    (whole,) = _pieces(opened, 10**9)
    assert (1, 3, 0, END) == (whole.first_market, whole.last_market, whole.first, whole.end)
    months = _pieces(opened, 2_000)
    days = _pieces(opened, 200)
    for cut in (months, days):
        own = [p for p in cut if p.first_market == 1]
        assert (0, END) == (own[0].first, own[-1].end)
        assert all(one.end == two.first for one, two in pairwise(own))
        assert (2, 3) == (cut[-1].first_market, cut[-1].last_market)
        assert whole.weight == pytest.approx(sum(p.weight for p in cut), rel=0.05)
    assert {1} == {time.gmtime(p.first).tm_mday for p in months[1:-1]}
    assert max(p.weight for p in days) <= 200
    assert all(p.first % DAY_S == 0 for p in days)
    client = opened.store.engine.client()
    checked = [
        sum(f.checked for p in cut for f in compare(client, p, {})) for cut in (months, days)
    ]
    assert checked == [sum(f.checked for f in compare(client, whole, {}))] * 2


def test_one_day_is_never_cut(opened: Opened) -> None:
    """Its candle of one day could not be compared."""
    put(opened, GOLD, [trade(DAY + i) for i in range(50)])
    assert [(0, END)] == [(p.first, p.end) for p in _pieces(opened, 1)]


def test_what_holds_the_writer_is_cut_further() -> None:
    """By market where there are several, else by days; never smaller than one."""
    days = [(1, DAY_S * i) for i in range(8)]
    one = parts(Piece(1, 1, 0, END, 100), days, 25)
    expected = [(1, 1, DAY_S * i, DAY_S * (i + 2)) for i in range(0, 8, 2)]
    assert expected == [(p.first_market, p.last_market, p.first, p.end) for p in one]
    many = parts(Piece(1, 9, 0, END, 100), [*days, (4, 0), (7, 0), (9, DAY_S)], 50)
    assert [(1, 4, 0, 8 * DAY_S), (7, 9, 0, 8 * DAY_S)] == [
        (p.first_market, p.last_market, p.first, p.end) for p in many
    ]
    assert len(parts(Piece(1, 1, 0, END, 10**9), days, 1)) == 8
    assert [] == parts(Piece(1, 1, 0, END, 0), [], 1)


def test_days_that_follow_each_other_are_one_span() -> None:
    def found(*days: tuple[int, int]) -> Found:
        return Found(60, 9, 0, 0, 0, 0, 0, (), days)

    day = DAY_S
    assert [
        Span(1, 0, 2 * day - 1),
        Span(1, 3 * day, 4 * day - 1),
        Span(2, 4 * day, 5 * day - 1),
    ] == spans([found((1, 0), (2, 4 * day)), found((1, day), (1, 3 * day), (1, 0))])


# -- while everything goes on --


def test_concurrent_inserts_are_no_difference(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commits into the very days that are compared, late ones too; ingest is not held up."""
    fill(opened)
    stop, slowest, stored = threading.Event(), 0.0, 0

    def insert() -> None:
        nonlocal slowest, stored
        while not stop.is_set():
            begun = time.monotonic()
            seconds = (DAY + stored * 37 + i * 997 for i in range(40))
            rows = [T(s * 10**6, 3.0 + s % 5, 10**18, trade_id=f"{stored}-{s}") for s in seconds]
            put(opened, GOLD, rows)
            stored += 1
            slowest = max(slowest, time.monotonic() - begun)

    writer = threading.Thread(target=insert)
    writer.start()
    try:
        reports = [verified(opened) for _ in range(8)]
    finally:
        stop.set()
        writer.join()
    assert [0] * 8 == [report.found for report in reports]
    assert stored > 8
    assert slowest < 5.0


def test_a_difference_that_goes_away_is_none(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is compared once more between two commits before it counts."""
    fill(opened)
    looks: list[str] = []

    def doubtful(client: Client, piece: Piece, kept_from: Any) -> list[Found]:
        looks.append(threading.current_thread().name)
        if looks[-1] == "store-verify":
            return [Found(60, 1, 1, 0, 0, DAY, DAY, (), ((1, DAY),))]
        return compare(client, piece, kept_from)

    for module in ("compare", "verify"):
        monkeypatch.setattr(f"appliance.store.{module}.compare", doubtful)
    assert verified(opened).found == 0
    assert ["store-verify"] * 2 + ["store-writer"] == looks


# -- one at a time, remembered, stopped --


def test_one_verify_at_a_time(opened: Opened) -> None:
    released = threading.Event()
    waiting: Future[bool] = opened.store.writer.call(lambda _: released.wait(30))
    opened.store.verifier.start()  # its report waits for the writer
    try:
        with pytest.raises(Conflict, match=r"a verify is running already \(\d+% done\)"):
            opened.store.verifier.start()
        assert opened.store.verifier.state().running
    finally:
        released.set()
    assert waiting.result(60)
    assert finished(opened.store.verifier).error is None
    assert verified(opened).equal


def test_the_outcome_is_remembered(open_store: Opener) -> None:
    """By the next process, good or bad."""
    opened = open_store()
    fill(opened)
    assert opened.store.verifier.state().report is None
    ask(opened, f"DELETE FROM candles WHERE interval = 60 AND bucket = {DAY}")
    report = verified(opened)
    opened.store.close()
    again = open_store()
    assert report == again.store.verifier.state().report
    assert report.found == 2
    assert time.time() - 60 < report.at <= time.time()
    assert verified(again, repair=True).equal
    again.store.close()
    assert open_store().store.verifier.state().report.equal  # type: ignore[union-attr]


def test_a_report_of_another_version_is_forgotten(open_store: Opener) -> None:
    opened = open_store()
    ask(opened, "INSERT INTO checkpoints VALUES ('verify', 'last', '{\"recent\":3}', 1)")
    opened.store.close()
    assert open_store().store.verifier.state().report is None


def test_a_first_difference_is_remembered_at_once(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is killed in its repair must not leave the word that all is equal."""
    fill(opened)
    assert verified(opened).equal
    ask(opened, "TRUNCATE TABLE candles")
    seen: list[bool] = []

    def failing(spans: Any) -> Any:
        report = opened.store.verifier.last
        seen.append(report is not None and report.equal)
        raise Retryable("no room")

    monkeypatch.setattr(opened.store, "repair", failing)
    opened.store.verifier.start(repair=True)
    state = finished(opened.store.verifier)
    assert ("no room", [False]) == (state.error, seen)
    assert state.report is not None
    assert not state.report.equal


def test_a_close_ends_a_verify(open_store: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within one piece; what came before stays remembered."""
    opened = open_store()
    fill(opened)
    endless = (Piece(1, 3, 0, END, 0) for _ in range(10**9))
    monkeypatch.setattr("appliance.store.compare.pieces", lambda *_: endless)
    opened.store.verifier.start()
    opened.store.close()
    state = opened.store.verifier.state()
    assert (False, "the appliance was stopped; verify again") == (state.running, state.error)
    with pytest.raises(Retryable, match="stopping"):
        opened.store.verifier.start()
    opened.store.close()


def test_a_failing_store_is_said(opened: Opened) -> None:
    fill(opened)
    ask(opened, "DROP VIEW candles_view")
    ask(opened, "DROP TABLE candles")
    opened.store.verifier.start()
    error = finished(opened.store.verifier).error
    assert error is not None
    assert error.startswith("the store is not answering: ")
