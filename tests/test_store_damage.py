"""A damaged part is named, put aside, made anew or reported as lost; the store goes on."""

import os
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from clickhouse_connect.driver.client import Client

from appliance.caretaker import Caretaker, DamageState
from appliance.errors import ConfigError, Retryable
from appliance.model import MarketSpec
from appliance.store import checkpoints
from appliance.store.damage import Damage, damaged
from appliance.store.enrol import insert_markets
from appliance.store.salvage import KIND, Case, Loss
from tests.conftest import NOW, Opened, Opener
from tests.oracle import T, table

SLOW = {"max_block_size": 1, "max_execution_time": 0}
GOLD, IRON = MarketSpec("GOLD"), MarketSpec("IRON")
MONTH = 40 * 86_400
OLD = NOW - MONTH
"""2025-05-06, in a part of its own."""
EVERYTHING = (
    "SELECT interval, market_id, bucket, argMinMerge(open), max(high), min(low), "
    "argMaxMerge(close), sum(base_volume), sum(trades), sum(rows) FROM candles "
    "GROUP BY ALL ORDER BY ALL"
)


def rows(start: int, count: int = 100) -> list[T]:
    """Return trades a minute apart."""
    return [
        T((start + 60 * i) * 10**6, 1.0 + i, 10**18, trade_id=f"{start}-{i}") for i in range(count)
    ]


def put(opened: Opened, trades: list[T], spec: MarketSpec = GOLD) -> None:
    opened.store.writer.submit(table(trades), (spec,)).result(60)


def ask(opened: Opened, query: str) -> Any:
    return opened.store.writer.call(lambda c: c.query(query).result_rows).result(60)


def part_of(opened: Opened, table_name: str, partition: str) -> Path:
    """Return the folder of the first active part of a partition."""
    sql = f"SELECT path FROM system.parts WHERE active AND table = '{table_name}' "
    found = ask(opened, sql + f"AND partition_id = '{partition}' ORDER BY name")
    return Path(found[0][0])


def zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def whole_months(open_store: Opener) -> Opened:
    """Store two months of GOLD and one of IRON."""
    opened = open_store()
    ask(opened, "SYSTEM STOP MERGES")
    put(opened, rows(OLD))
    put(opened, rows(NOW - 7_000))
    put(opened, rows(NOW - 7_000, 5), IRON)
    return opened


def reasons(opened: Opened) -> str:
    state = DamageState(opened.store).state()
    return (state.reason or "") if state is not None else ""


@pytest.mark.parametrize(
    ("spoil", "file"),
    [
        (zeroed, "data.bin"),
        pytest.param(zeroed, "checksums.txt", marks=pytest.mark.fault),
        pytest.param(zeroed, "columns.txt", marks=pytest.mark.fault),
        pytest.param(cut, "data.bin", marks=pytest.mark.fault),
    ],
)
def test_damaged_candles_are_made_of_the_trades_again(
    open_store: Opener, spoil: Callable[[Path], None], file: str
) -> None:
    """All of them, to the digit, before the store opens."""
    opened = whole_months(open_store)
    expected, path = ask(opened, EVERYTHING), part_of(opened, "candles", "2025")
    opened.store.close()
    spoil(path / file)
    again = open_store()
    assert expected == ask(again, EVERYTHING)
    assert ("", []) == (reasons(again), again.store.lost)
    assert [] == again.store.writer.call(damaged_beside).result(60)


def damaged_beside(client: Any) -> list[Damage]:
    """Return the damaged parts that are in tables still."""
    return [damage for damage in damaged(client) if not damage.detached]


@pytest.mark.parametrize("spoil", [zeroed, pytest.param(cut, marks=pytest.mark.fault)])
def test_damaged_trades_are_reported_and_the_rest_is_served(
    open_store: Opener, spoil: Callable[[Path], None]
) -> None:
    """Market, range and number are named; candles are those of the trades that are left."""
    opened = whole_months(open_store)
    path = part_of(opened, "trades", "202505")
    opened.store.close()
    spoil(path / "data.bin")
    again = open_store()
    assert [(1, 100), (2, 5)] == ask(
        again, "SELECT market_id, count() FROM trades GROUP BY market_id ORDER BY market_id"
    )
    assert [(100,), (5,)] == ask(
        again, "SELECT sum(rows) FROM candles WHERE interval = 60 GROUP BY market_id ORDER BY ALL"
    )[::-1]
    said = reasons(again)
    assert "some of the 100 trades of GOLD from 2025-05-06 to 2025-05-06 were lost" in said
    assert "import that range again or restore a backup" in said
    assert "IRON" not in said
    again.store.close()
    assert said == reasons(open_store())


def test_imported_again_nothing_is_lost(open_store: Opener) -> None:
    """The whole range: the candles are what they were, and the report ends."""
    opened = whole_months(open_store)
    expected, path = ask(opened, EVERYTHING), part_of(opened, "trades", "202505")
    opened.store.close()
    zeroed(path / "data.bin")
    again = open_store()
    put(again, rows(OLD)[:60])
    again.store.look_for_lost().result(60)
    assert again.store.lost
    put(again, rows(OLD))
    again.store.look_for_lost().result(60)
    assert ([], expected) == (again.store.lost, ask(again, EVERYTHING))


@pytest.mark.fault
def test_removing_the_files_accepts_the_loss(open_store: Opener) -> None:
    """The report names them; when they are gone, it ends."""
    opened = whole_months(open_store)
    path = part_of(opened, "trades", "202505")
    opened.store.close()
    cut(path / "data.bin")
    again = open_store()
    aside = Path(reasons(again).rpartition("remove ")[2])
    assert aside.is_dir()
    again.store.close()
    shutil.rmtree(aside)
    assert "" == reasons(open_store())


@pytest.mark.fault
def test_a_damaged_merge_whose_sources_are_there_loses_nothing(open_store: Opener) -> None:
    """The engine goes back to them by itself; that is no loss to report."""
    opened = whole_months(open_store)
    ask(opened, "SYSTEM START MERGES")
    ask(opened, "OPTIMIZE TABLE trades PARTITION 202505 FINAL")
    expected, path = ask(opened, EVERYTHING), part_of(opened, "trades", "202505")
    opened.store.close()
    cut(path / "data.bin")
    again = open_store()
    assert ("", expected) == (reasons(again), ask(again, EVERYTHING))


def test_a_backup_that_is_restored_elsewhere_reports_the_loss_too(opened: Opened) -> None:
    """Its paths are those of another machine, so nobody accepted anything; until it is pruned."""
    put(opened, rows(OLD, 5))
    loss = Loss(1, OLD // 86_400 * 86_400, OLD // 86_400 * 86_400 + 86_399, 9)
    damage = Damage("trades", "p", "gone", OLD, OLD, "/elsewhere/p", False)
    case = Case(damage, "done", (loss,), "/elsewhere/detached/p")
    value = msgspec.json.encode(case).decode()
    writer = opened.store.writer
    writer.call(lambda client: checkpoints.write(client, KIND, "p", value)).result(60)
    opened.store.look_for_lost().result(60)
    assert reasons(opened).endswith("import that range again or restore a backup")
    market = replace(opened.store.catalogue.resolve("GOLD"), raw_complete_from=NOW)
    writer.call(lambda client: insert_markets(client, [market])).result(60)
    opened.store.look_for_lost().result(60)
    assert "" == reasons(opened)


def test_what_the_journal_holds_is_not_lost(open_store: Opener, tmp_path: Path) -> None:
    """A kill left applied entries in it: their trades are stored again, though their token is used.

    The copy of the journal stands for the kill; a clean stop empties it.
    """
    opened = whole_months(open_store)
    expected, path = ask(opened, EVERYTHING), part_of(opened, "trades", "202505")
    kept = {p.name: p.read_bytes() for p in (tmp_path / "journal").iterdir()}
    assert len(kept) == 3
    opened.store.close()
    for name, data in kept.items():
        (tmp_path / "journal" / name).write_bytes(data)
    cut(path / "data.bin")
    again = open_store()
    assert ([], expected) == (again.store.lost, ask(again, EVERYTHING))
    assert [(205,)] == ask(again, "SELECT count() FROM trades")


@pytest.mark.parametrize(
    "step",
    [
        "_settled",
        *(pytest.param(s, marks=pytest.mark.fault) for s in ("_put_aside", "_counted", "rebuild")),
    ],
)
def test_a_kill_in_the_middle_is_finished_by_the_next_start(
    open_store: Opener, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """At every step: the same is reported and served."""
    opened = whole_months(open_store)
    path = part_of(opened, "trades", "202505")
    opened.store.close()
    zeroed(path / "data.bin")

    def die(*_: Any) -> None:
        raise RuntimeError("died")

    monkeypatch.setattr(f"appliance.store.salvage.{step}", die)
    with pytest.raises(RuntimeError, match="died"):
        open_store()
    monkeypatch.undo()
    again = open_store()
    assert "some of the 100 trades of GOLD" in reasons(again)
    assert [(105,)] == ask(again, "SELECT sum(rows) FROM candles WHERE interval = 1")


def test_a_damaged_part_that_names_markets_stops_the_start(open_store: Opener) -> None:
    """Trades of a market without a name would be served as another's."""
    opened = whole_months(open_store)
    path = part_of(opened, "markets", "all")
    opened.store.close()
    cut(path / "data.bin")
    with pytest.raises(ConfigError, match=r"table markets has a damaged part.*restore a backup"):
        open_store()


def test_a_store_that_cannot_be_read_says_so_in_a_sentence(open_store: Opener) -> None:
    """The table that remembers everything else: there is no going on without it."""
    opened = open_store()
    zeroed(part_of(opened, "checkpoints", "all") / "data.bin")
    opened.store.close()
    with pytest.raises(ConfigError, match="restore a backup into another --data-dir"):
        open_store()


def test_a_stop_does_not_wait_for_a_check(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading everything may take minutes: the store ends it before its handles close."""
    begun = threading.Event()

    def endless(client: Client) -> list[Damage]:
        begun.set()
        client.query("SELECT 'CHECK TABLE', sleepEachRow(1) FROM numbers(60)", settings=SLOW)
        return []

    monkeypatch.setattr("appliance.store.store.damaged", endless)
    with ThreadPoolExecutor(1) as pool:
        check = pool.submit(opened.store.damaged)
        assert begun.wait(10)
        time.sleep(0.2)
        before = time.monotonic()
        opened.store.close()
        assert time.monotonic() - before < 10
        with pytest.raises(Retryable, match="cancel"):
            check.result(10)


@pytest.mark.parametrize("settled", [True, pytest.param(False, marks=pytest.mark.fault)])
async def test_damage_is_found_while_the_store_runs(opened: Opened, settled: bool) -> None:
    """By the reading that fails; the next round of the caretaker puts it aside.

    What the journal holds still is stored again; what was settled is reported.
    """
    put(opened, rows(OLD))
    put(opened, rows(NOW - 7_000))
    if settled:
        opened.store.writer.call(lambda _: opened.store._commits.rest()).result(60)
    zeroed(part_of(opened, "trades", "202505") / "data.bin")
    market = opened.store.catalogue.resolve("GOLD")
    caretaker = Caretaker(opened.store, lambda: float(NOW))
    await caretaker.round()
    assert "" == reasons(opened)
    with pytest.raises(Retryable):
        await opened.datafeed().trades(market, 1_000)
    await caretaker.round()
    assert settled is ("some of the 100 trades of GOLD" in reasons(opened))
    assert (100 if settled else 200) == len(await opened.datafeed().trades(market, 1_000))
    assert caretaker.state() is None
    (revision,) = opened.commits[-1].revisions
    assert ("repair", 1) == (revision.reason, revision.market_id)
