"""Opening, migrating and closing the store."""

import faulthandler
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from appliance import resources
from appliance.errors import ConfigError, Retryable
from appliance.interval import OFFERED, STORED, Interval, parse
from appliance.store import checkpoints
from appliance.store.engine import Engine
from appliance.store.gate import Gate
from appliance.store.migrate import Migration, migrate, migrations
from appliance.store.reader import Reader
from tests.conftest import Opened, Opener

OPEN_ELSEWHERE = (
    "import sys\nfrom appliance.store.engine import Engine\n"
    "from appliance.errors import StoreLocked\n"
    "try: Engine(sys.argv[1]).open()\n"
    "except StoreLocked as error: print(error); sys.exit(7)"
)


def test_a_second_process_gets_one_plain_sentence(opened: Opened) -> None:
    """And the first one goes on."""
    command = [sys.executable, "-c", OPEN_ELSEWHERE, opened.store.engine.dsn]
    other = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert other.returncode == 7, other.stderr
    assert "another process has the store" in other.stdout
    assert opened.store.writer.call(lambda c: c.query("SELECT 1").result_rows).result(30) == [(1,)]


def test_fatal_signals_are_the_system_s_again(opened: Opened) -> None:
    """The engine's own handlers would hang the process for minutes."""
    assert faulthandler.is_enabled()
    for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE):
        assert signal.getsignal(number) in (signal.SIG_DFL, None)


def test_migrations_run_once_and_finish_what_was_started(open_store: Opener) -> None:
    """A file recorded as started is applied again, a done one is not."""
    opened = open_store()
    writer = opened.store.writer
    assert writer.call(migrate).result(30) == []
    last = migrations()[-1]
    writer.call(
        lambda c: checkpoints.write(c, "schema", last.name, f"started {last.digest}")
    ).result(30)
    assert writer.call(migrate).result(30) == [last.name]
    assert writer.call(migrate).result(30) == []


def test_a_newer_store_and_a_changed_file_stop_the_start(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each says what to do."""
    writer = opened.store.writer
    changed = [*migrations()[:-1], Migration(migrations()[-1].name, "SELECT 2")]
    monkeypatch.setattr("appliance.store.migrate.migrations", lambda: changed)
    with pytest.raises(ConfigError, match="differs from the one"):
        writer.call(migrate).result(30)
    monkeypatch.undo()
    writer.call(lambda c: checkpoints.write(c, "schema", "999_new.sql", "done x")).result(30)
    with pytest.raises(ConfigError, match=r"newer version \(it has 999_new.sql\)"):
        writer.call(migrate).result(30)


def test_every_table_is_described(opened: Opened) -> None:
    """Each table says what one row is."""
    rows = opened.store.writer.call(
        lambda c: (
            c.query(
                "SELECT name, comment FROM system.tables WHERE database = currentDatabase() "
                "AND engine LIKE '%MergeTree' AND name NOT LIKE '.inner%'"
            ).result_rows
        )
    ).result(30)
    assert {"checkpoints", "markets", "trades", "candles", "marks"} == {name for name, _ in rows}
    assert all(comment.startswith("one row per") for _, comment in rows)


def test_the_original_names_answer(opened: Opened) -> None:
    """People who write SQL find the views they know."""

    def rows(client: Client, name: str) -> object:
        return client.query(f"SELECT * FROM vamm_{name} LIMIT 1").result_rows

    for name in ("market_transactions", *(f"ohlcv_{i.name}" for i in STORED)):
        assert [] == opened.store.writer.call(partial(rows, name=name)).result(30)


async def test_a_failing_query_is_retryable_and_counted(opened: Opened) -> None:
    """The caller gets one line, the log the whole error."""
    with pytest.raises(Retryable, match="the store is not answering"):
        await opened.store.reader.query("select_trades")
    assert b'appliance_query_errors_total{query="select_trades"} 1.0' in opened.metrics.text()


async def test_too_many_waiting_queries_are_refused(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue has a size."""
    monkeypatch.setattr("appliance.store.reader._WAITING_MAX", 0)
    with pytest.raises(Retryable, match="too many queries"):
        await opened.store.reader.query("select_markets")


def test_an_address_that_does_not_open_names_the_setting(tmp_path: Path) -> None:
    """A server that is not there."""
    with pytest.raises(
        ConfigError, match=r"STORE_URL must be a store that opens, was at 127\.0\.0\.1"
    ):
        Engine("clickhouse://u:secret@127.0.0.1:9/x").open()


def test_sql_and_python_agree_on_every_bucket(opened: Opened) -> None:
    """The one SQL expression of select_candles.sql equals Interval.floor."""
    text = resources.text("schema", "queries/select_candles.sql")
    expression = text[text.index("    if(") : text.index(" AS start")]
    times = [*range(946_684_800, 4_102_444_800, 86_400 * 97 + 4_321), 951_782_399, 951_782_400]
    query = f"SELECT {expression} FROM (SELECT toDateTime(arrayJoin({times}), 'UTC') AS bucket)"
    intervals = [*map(parse, OFFERED), *map(parse, ["7m", "90s", "7h", "2w", "5M"])]

    def starts(interval: Interval) -> list[int]:
        parameters = {
            "step": interval.seconds,
            "offset": interval.offset,
            "months": interval.months,
        }
        rows = opened.store.writer.call(
            lambda c: c.query(query, parameters=parameters).result_rows
        ).result(30)
        return [row[0] for row in rows]

    for interval in intervals:
        assert [interval.floor(t) for t in times] == starts(interval), interval


def test_reader_closes_with_queries_under_way(opened: Opened) -> None:
    """Closing twice does nothing more."""
    reader = Reader(opened.store.engine, 2, opened.metrics, Gate())
    reader.query_here("select_markets", {})
    reader.close()
    reader.close()
