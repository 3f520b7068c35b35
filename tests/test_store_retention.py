"""What is older than the settings keep goes by whole days; what stays is never made wrong."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from appliance.errors import BadRequest, ConfigError
from appliance.metrics import Metrics
from appliance.model import Commit, MarketSpec, Receipt
from appliance.settings import Settings, read
from appliance.store.journal import Span
from appliance.store.rebuild import rebuild, unequal
from appliance.store.retention import Policy
from appliance.store.store import Store
from appliance.web.shapes import market_row
from tests.conftest import NOW, Opened
from tests.oracle import T, table

GOLD = MarketSpec("GOLD")
POOL = MarketSpec("POOL", chain_id=1, contract="0x" + "ab" * 20, order="chain")
DAY = 86_400
TODAY = NOW // DAY * DAY
KEPT = TODAY - 10 * DAY
"""2025-06-05, the first day kept."""
CANDLES = (
    "SELECT interval, market_id, bucket, argMinMerge(open), argMaxMerge(close), "
    "sum(base_volume), sum(rows) FROM candles {where} GROUP BY ALL ORDER BY ALL"
)


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[Opened]:
    """Open a store that keeps trades for ten days, and seconds for three."""
    settings = Settings(
        data_dir=tmp_path, retention_trades_days=10, retention_candles=("1s=3d", "1m=20d")
    )
    metrics, commits = Metrics(), list[Commit]()
    store = Store(settings, metrics, commits.append)
    store.open()
    yield Opened(store, metrics, commits)
    store.close()


def rows(start: int, count: int, step: int = DAY, block: int = 0) -> list[T]:
    """Return trades at noon of following days."""
    return [
        T(
            *((start + step * i + DAY // 2) * 10**6, 1.0 + i, 10**18),
            trade_id="" if block else f"{start + step * i}",
            block=block and block + i,
        )
        for i in range(count)
    ]


def put(opened: Opened, trades: list[T], spec: MarketSpec = GOLD) -> Receipt:
    return opened.store.writer.submit(table(trades), (spec,)).result(60)


def ask(opened: Opened, query: str) -> Any:
    return opened.store.writer.call(lambda c: c.query(query).result_rows).result(60)


def days_of(opened: Opened, what: str) -> list[int]:
    """Return how many days ago each row of a query was, oldest first."""
    return [(TODAY - int(row[0])) // DAY for row in ask(opened, what)]


TRADES = "SELECT toUnixTimestamp(time) - 43200 FROM trades ORDER BY time"
BUCKETS = (
    "SELECT DISTINCT toUnixTimestamp(bucket) - toUnixTimestamp(bucket) % 86400 AS t "
    "FROM candles WHERE interval = {} ORDER BY t"
)


def test_whole_days_go_and_their_candles_stay(keeping: Opened) -> None:
    """Over a month's boundary; each interval by its own setting; nothing twice."""
    put(keeping, rows(TODAY - 40 * DAY, 40))
    before = ask(keeping, CANDLES.format(where="WHERE interval >= 300"))
    assert keeping.store.prune(NOW).result(60) is True
    assert list(range(10, 0, -1)) == days_of(keeping, TRADES)
    assert list(range(3, 0, -1)) == days_of(keeping, BUCKETS.format(1))
    assert list(range(20, 0, -1)) == days_of(keeping, BUCKETS.format(60))
    assert before == ask(keeping, CANDLES.format(where="WHERE interval >= 300"))
    assert KEPT == keeping.store.catalogue.resolve("GOLD").raw_complete_from
    assert keeping.store.prune(NOW + 60).result(60) is False
    assert keeping.store.prune(NOW + DAY).result(60) is True
    assert list(range(9, 0, -1)) == days_of(keeping, TRADES)


def test_older_trades_are_refused_with_the_reason(keeping: Opened) -> None:
    """The whole batch, of known and of new markets; its neighbours in the queue are stored."""
    put(keeping, rows(TODAY - 20 * DAY, 20))
    keeping.store.prune(NOW).result(60)
    late = rows(KEPT - DAY // 2, 1, step=1)  # the first second that is kept
    assert Receipt(1, 0) == put(keeping, late)
    for spec in (GOLD, MarketSpec("NEW")):
        with pytest.raises(BadRequest) as caught:
            put(keeping, rows(TODAY - DAY, 1) + rows(KEPT - DAY, 1))
        assert "time" == caught.value.field
        with pytest.raises(BadRequest) as caught:
            put(keeping, rows(KEPT - 2 * DAY, 3, step=DAY + 1), spec)
    assert str(caught.value) == (
        "time of a trade of NEW must be 2025-06-05T00:00:00Z or later, was 2025-06-03T12:00:00Z: "
        "older trades were removed (RETENTION_TRADES_DAYS is 10), and their candles cannot be "
        "made again; leave them out, or import them into a data directory that keeps them"
    )
    assert ["GOLD"] == [m.symbol for m in keeping.store.catalogue.all()]


def test_nothing_below_is_made_anew(keeping: Opened, tmp_path: Path) -> None:
    """Not by a rebuild, not by comparing, not by the next start, though trades are gone."""
    put(keeping, rows(TODAY - 40 * DAY, 40))
    keeping.store.prune(NOW).result(60)
    expected = ask(keeping, CANDLES.format(where=""))

    def again(client: Client) -> list[Span]:
        found = unequal(client, [1], 0, NOW)
        rebuild(client, Span(1, TODAY - 60 * DAY, KEPT - 1))
        rebuild(client, Span(1, TODAY - 60 * DAY, NOW))
        return found

    assert [] == keeping.store.writer.call(again).result(60)
    assert expected == ask(keeping, CANDLES.format(where=""))
    keeping.store.close()
    store = Store(Settings(data_dir=tmp_path), Metrics(), lambda _: None)
    store.open()
    try:  # also where the settings are gone
        assert KEPT == store.catalogue.resolve("GOLD").raw_complete_from
        reopened = Opened(store, Metrics())
        assert expected == ask(reopened, CANDLES.format(where=""))
        with pytest.raises(BadRequest, match="RETENTION_TRADES_DAYS is 0, but was set before"):
            put(reopened, rows(KEPT - DAY, 1))
    finally:
        store.close()


def test_late_trades_leave_no_pieces_of_candles_that_are_not_kept(keeping: Opened) -> None:
    """A trade of five days ago makes no second of its own, and all other candles hold it."""
    put(keeping, rows(TODAY - 40 * DAY, 40))
    keeping.store.prune(NOW).result(60)
    put(keeping, [T((TODAY - 5 * DAY + 100) * 10**6, 9.0, 10**18, trade_id="late")])
    assert list(range(3, 0, -1)) == days_of(keeping, BUCKETS.format(1))
    five_days_ago = f"WHERE bucket = {TODAY - 5 * DAY} AND interval = 86400"
    ((*_, volume, count),) = ask(keeping, CANDLES.format(where=five_days_ago))
    assert (2, 2) == (volume, count)


def test_a_retraction_stops_at_the_limit_and_says_so(
    keeping: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    """What is kept goes; the candles below stay, and are named."""
    put(keeping, rows(TODAY - 20 * DAY, 20, block=100), POOL)
    keeping.store.prune(NOW).result(60)
    gone = keeping.store.writer.retract(1, 105).result(60)
    assert [KEPT] == [revision.first // DAY * DAY for revision in gone.revisions]
    assert (1,) == gone.kept_below
    assert [] == days_of(keeping, TRADES)
    assert list(range(20, 10, -1)) == days_of(keeping, BUCKETS.format(86_400))
    assert "POOL: candles before 2025-06-05 hold blocks from 105 on that were retracted" in (
        caplog.text
    )
    assert () == keeping.store.writer.retract(1, 110).result(60).revisions


def test_a_kill_while_pruning_is_finished_by_the_next(
    keeping: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limits come first: what is there still is served, what is gone is not made anew."""
    put(keeping, rows(TODAY - 40 * DAY, 40))

    def die(*_: Any) -> None:
        raise RuntimeError("died")

    monkeypatch.setattr("appliance.store.retention._delete_trades", die)
    with pytest.raises(RuntimeError, match="died"):
        keeping.store.prune(NOW).result(60)
    monkeypatch.undo()
    assert KEPT == keeping.store.catalogue.resolve("GOLD").raw_complete_from
    assert 40 == len(ask(keeping, TRADES))
    assert keeping.store.prune(NOW).result(60) is True
    assert 10 == len(ask(keeping, TRADES))


def test_the_journal_never_brings_back_what_was_pruned(keeping: Opened, tmp_path: Path) -> None:
    """A pruning leaves no entry that could be applied after it."""
    put(keeping, rows(TODAY - 40 * DAY, 40))
    assert list((tmp_path / "journal").iterdir())
    keeping.store.prune(NOW).result(60)
    assert [] == list((tmp_path / "journal").iterdir())


def test_answers_say_from_when_on_trades_are_complete(keeping: Opened) -> None:
    """Rows of markets, where there is such a limit."""
    put(keeping, rows(TODAY - 20 * DAY, 20))
    assert "raw_complete_from" not in market_row(keeping.store.catalogue.resolve("GOLD"), None)
    keeping.store.prune(NOW).result(60)
    row = market_row(keeping.store.catalogue.resolve("GOLD"), None)
    assert KEPT == row["raw_complete_from"]


def test_without_settings_everything_is_kept(opened: Opened) -> None:
    put(opened, rows(TODAY - 400 * DAY, 3))
    assert opened.store.prune(NOW).result(60) is False
    assert 3 == len(ask(opened, TRADES))
    assert Policy().trades_from(NOW) == 0


def test_settings_of_retention_are_read() -> None:
    """Days of the stored intervals; the daily candles know what is stored, and stay."""
    found = read({"RETENTION_TRADES_DAYS": "30", "RETENTION_CANDLES": "1s=7d, 1m=90d"})
    assert (30, {1: 7, 60: 90}) == (found.retention_trades_days, found.candles_days)
    for wrong in ("1d=5d", "1s=7", "1s=0d", "7m=3d", "1s=1d,1s=2d"):
        with pytest.raises(ConfigError, match="RETENTION_CANDLES must be a comma list"):
            read({"RETENTION_CANDLES": wrong})
