"""The store on a ClickHouse server: the same code, the same answers, and what a network adds.

The server is `clickhouse_server.py`: the embedded engine in a process of its own, behind the HTTP
interface. It stands in another time zone, and every test has a database of its own.
"""

import itertools
import logging
import os
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from clickhouse_connect.driver.exceptions import OperationalError

from appliance.errors import ConfigError, Conflict, Retryable
from appliance.interval import parse
from appliance.metrics import Metrics
from appliance.model import Commit, Receipt
from appliance.settings import Settings
from appliance.status import Status
from appliance.store.engine import Engine
from appliance.store.store import Store
from tests import clickhouse_server
from tests.clickhouse_server import LOSE_ANSWER, PASSWORD, REFUSE, USER
from tests.conftest import NOW, Opened, Opener
from tests.oracle import T, shuffled

# What holds for the embedded engine holds here: these run again, on the `open_store` below.
from tests.test_store_engine import (
    test_migrations_run_once_and_finish_what_was_started,  # noqa: F401
)
from tests.test_store_writer import (
    POOL,
    ask,
    count,
    on_chain,
    put,
    test_the_same_trades_again_change_nothing,  # noqa: F401
    with_ids,
)

_NUMBERS = itertools.count()


class Server:
    """The process of the server; it can die and start again on its data and port."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = 0
        self._process: subprocess.Popen[str]
        self.start()

    def start(self) -> None:
        """Start, and wait until it listens."""
        self._process = subprocess.Popen(
            [sys.executable, clickhouse_server.__file__, str(self.directory), str(self.port)],
            env=os.environ | {"TZ": "Asia/Kolkata"},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        self.port = int(self._process.stdout.readline())

    def stop(self) -> None:
        """Kill it, or see that it has died."""
        self._process.kill()
        self._process.communicate(timeout=30)

    def orders(self, what: str, text: str = "") -> None:
        """Make it misbehave."""
        (self.directory / what).write_text(text)

    def url(self, database: str, password: str = PASSWORD, options: str = "") -> str:
        """Return STORE_URL."""
        user = f"{quote(USER, safe='')}:{quote(password, safe='')}"
        return f"clickhouse://{user}@127.0.0.1:{self.port}/{quote(database)}{options}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run the server, once for all tests."""
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.stop()


@pytest.fixture
def database() -> str:
    """Return the name of a database that does not exist yet; it must be quoted everywhere."""
    return f"charts-of ä.{next(_NUMBERS)}"


def opened_at(settings: Settings) -> Opened:
    """Return a store that runs."""
    commits: list[Commit] = []
    metrics = Metrics()
    store = Store(settings, metrics, commits.append)
    store.open()
    return Opened(store, metrics, commits)


@pytest.fixture
def open_store(server: Server, database: str, tmp_path: Path) -> Iterator[Opener]:
    """Open the store on the server, in place of the embedded one of conftest.py."""
    opened: list[Opened] = []

    def open_it() -> Opened:
        settings = Settings(data_dir=tmp_path, store_url=server.url(database))
        opened.append(opened_at(settings))
        return opened[-1]

    yield open_it
    for each in opened:
        each.store.close()


async def answers(opened: Opened) -> list[Any]:
    """Return everything a datafeed tells about all markets."""
    datafeed = opened.datafeed()
    markets = datafeed.catalogue.all()
    intervals = [parse(text) for text in ("1s", "7m", "1h", "7h", "1d", "1w", "1M")]
    histories = [
        (await datafeed.candles(market, interval, 0, NOW)).candles
        for market in markets
        for interval in intervals
    ]
    trades = [await datafeed.trades(market, 20) for market in markets]
    summaries = await datafeed.summaries(markets)
    return [histories, trades, summaries, await datafeed.last_seconds(markets)]


async def test_answers_equal_those_of_the_embedded_engine(opened: Opened, tmp_path: Path) -> None:
    """Candles of every interval, trades and summaries, to the last digit, in another time zone."""
    far = [i * 300 * 86_400 * 10**6 for i in range(10)]
    near = [i * 6_007 * 10**6 + i for i in range(1, 200)]
    timed = [
        T(NOW * 10**6 - us, 1 / (1 + us % 7919), 10**30 // (3 + i), trade_id=str(i))
        for i, us in enumerate(far + near)
    ]
    embedded = opened_at(Settings(data_dir=tmp_path))
    try:
        for each in (opened, embedded):
            assert Receipt(209, 0) == put(each, shuffled(timed, 1))
            assert Receipt(60, 0) == put(each, on_chain(range(1, 61)), POOL)
        expected = await answers(embedded)
        assert expected == await answers(opened)
        assert len(expected[0][0]) > 100
    finally:
        embedded.store.close()


def test_a_database_is_made_only_where_there_is_none(server: Server, database: str) -> None:
    """An account without the right to make one can use one; otherwise the operator is told."""
    server.orders(REFUSE, "CREATE DATABASE")
    with (
        closing(Engine(server.url(database))) as engine,
        pytest.raises(ConfigError, match=r"STORE_URL .* at 127\.0\.0\.1: .* Not enough privileges"),
    ):
        engine.open()
    with closing(Engine(server.url("default"))) as engine:
        assert engine.open().query("SELECT 1").result_rows == [(1,)]
    (server.directory / REFUSE).unlink()
    with closing(Engine(server.url(database))) as engine:
        found = engine.open().query("SELECT currentDatabase(), timezone()").result_rows
    assert [(database, "Asia/Kolkata")] == found


@pytest.mark.parametrize("wrong", ["hunter2-wrong", ""])
def test_a_wrong_password_names_the_setting_and_stays_secret(
    server: Server, database: str, caplog: pytest.LogCaptureFixture, wrong: str
) -> None:
    """In the message, the traceback, the log and the repr of everything."""
    caplog.set_level(logging.DEBUG)
    settings = Settings(store_url=server.url(database, wrong))
    store = Store(settings, Metrics(), lambda _: None)
    with pytest.raises(ConfigError, match=r"STORE_URL .*127.* Authentication failed") as caught:
        store.open()
    shown = "".join(traceback.format_exception(caught.value))
    shown += caplog.text + repr([settings, store, store.engine, caught.value, vars(caught.value)])
    assert not wrong or wrong not in shown
    assert PASSWORD not in shown
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("?connect_timout=3", "unexpected keyword argument 'connect_timout'"),
        ("?connect_timeout=soon", "Invalid value 'soon' for option connect_timeout"),
    ],
)
def test_wrong_options_name_the_setting(
    server: Server, database: str, options: str, reason: str
) -> None:
    """A misspelled option stops the start with a sentence."""
    with pytest.raises(ConfigError, match=f"STORE_URL .*{reason}"):
        Engine(server.url(database, options=options)).open()


async def test_a_server_that_goes_and_comes_back(
    server: Server, opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    """Meanwhile everything is retryable, and nobody is told the address; then all is well."""
    put(opened, with_ids(5))
    status = Status(opened.store, opened.ingest(), lambda: 0, itertools.count().__next__)
    assert (await status.report()).ready
    server.stop()
    reading = opened.store.reader.query("select_markets")
    with pytest.raises(Retryable, match=r"^the store is not answering: no connection[^:]*$"):
        await reading
    with pytest.raises(Retryable, match=r"^the store is not answering: no connection[^:]*$"):
        put(opened, with_ids(5, NOW - 500))
    report = await status.report()
    assert (False, "failing") == (report.ready, report.parts[0].state)
    assert "Connection refused" in caplog.text
    server.start()
    assert (await status.report()).ready
    assert Receipt(0, 10) == put(opened, with_ids(5) + with_ids(5, NOW - 500))  # was journalled
    assert len((await opened.store.reader.query("select_markets"))[0]) == 1
    assert [5, 5] == [commit.trades.num_rows for commit in opened.commits]


def test_an_insert_whose_answer_is_lost_counts_once(server: Server, opened: Opened) -> None:
    """It was stored: sent again by the caller, its trades are known."""
    server.orders(LOSE_ANSWER)
    with pytest.raises(Retryable):
        put(opened, with_ids(50))
    assert Receipt(0, 50) == put(opened, with_ids(50))
    candles = "SELECT interval, sum(trades) FROM candles GROUP BY interval"
    assert (50, {50}) == (count(opened), {trades for _, trades in ask(opened, candles)})
    assert [50] == [commit.trades.num_rows for commit in opened.commits]


@pytest.mark.parametrize("count", [1_000, 4_000])
def test_many_ids_are_looked_up_in_a_form(opened: Opened, count: int) -> None:
    """They do not fit into an address, and a field of a form has at most 128 KiB."""
    put(opened, with_ids(1))
    ids = [f"'ä\\{i:033}" for i in range(count)]
    trades = [T(NOW * 10**6 + i, 5.0, 10**18, trade_id=name) for i, name in enumerate(ids)]
    assert Receipt(count, 0) == put(opened, trades)
    again = [replace(trade, time_us=trade.time_us + count) for trade in trades]
    with pytest.raises(Conflict, match="is stored with time"):
        put(opened, again)


def test_settings_arrive(opened: Opened) -> None:
    """Limits that the server must keep or lift, and how long we wait for it."""
    query = "SELECT getSetting('max_execution_time'), getSetting('async_insert')"
    assert (30, 0) == tuple(map(int, ask(opened, query)[0]))
    timeout = opened.store.writer.call(lambda client: client.timeout).result(30)  # type: ignore[attr-defined]
    assert (5, 40) == (timeout.connect_timeout, timeout.read_timeout)
    months = [T((NOW - i * 2_600_000) * 10**6, 1.0, 10**18) for i in range(105)]
    assert Receipt(105, 0) == put(opened, months)  # in more partitions than the default allows


def test_a_query_that_was_given_up_does_not_hold_up_the_next(server: Server, database: str) -> None:
    """Options in the address count; the server, which works on, has no session to lock."""
    with closing(Engine(server.url(database, options="?send_receive_timeout=1"))) as engine:
        client = engine.open()
        with pytest.raises(OperationalError, match="timed out"):
            client.query("SELECT sleep(2)")
        assert client.query("SELECT 1").result_rows == [(1,)]


@pytest.mark.parametrize(
    ("scheme", "first"), [("clickhouse", b"P"), ("clickhouses", b"\x16")], ids=["plain", "tls"]
)
def test_the_scheme_says_whether_to_encrypt(scheme: str, first: bytes) -> None:
    """The first byte on the wire is that of POST, or of a TLS handshake."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        seen: list[bytes] = []

        def accept() -> None:
            while b"" not in seen:
                connection, _ = listener.accept()
                with connection:
                    seen.append(connection.recv(1))

        thread = threading.Thread(target=accept)
        thread.start()
        port = listener.getsockname()[1]
        with pytest.raises(ConfigError, match="STORE_URL"):
            Engine(f"{scheme}://u:secret@127.0.0.1:{port}/d").open()
        socket.create_connection(("127.0.0.1", port)).close()
        thread.join(10)
    assert {first, b""} == set(seen)
