"""The whole appliance: which parts run, and how a process of it starts and stops."""

import asyncio
import re
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from appliance import app, running
from appliance.app import Appliance, build, serve, start_sources
from appliance.errors import ConfigError
from appliance.metrics import Metrics
from appliance.model import MarketSpec
from appliance.settings import Demo, Settings
from appliance.signals import ENDING, Ending
from appliance.sources import Seeding
from appliance.store import checkpoints
from appliance.store.store import Store
from tests.conftest import NOW
from tests.oracle import T, table
from tests.processes import Server, command, environment, free_port, run

REAL = MarketSpec("REAL")
SECONDS_TO_START = 10.0
"""The goal is 3 s on a machine that does nothing else."""
SECONDS_TO_STOP = 8.0
"""Far below the 15 s that are promised, far above what an idle machine needs."""


# -- in this process --


@pytest.fixture(scope="module")
def demo_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data directory that holds a demo market."""
    return with_market(tmp_path_factory.mktemp("demo"), MarketSpec("GOLD", exchange="DEMO"))


@pytest.fixture(scope="module")
def real_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data directory that holds a real market."""
    return with_market(tmp_path_factory.mktemp("real"), REAL)


def with_market(data_dir: Path, spec: MarketSpec) -> Path:
    store = Store(Settings(data_dir=data_dir), Metrics(), lambda commit: None)
    store.open()
    trades = [T(NOW * 10**6, 5.0, 10**18, trade_id="a")]
    store.writer.submit(table(trades), (spec,)).result(30)
    store.close()
    return data_dir


def demo_runs(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Return whether the demo is started with these settings and what they find stored."""
    appliance = build(settings)
    started: list[str] = []

    async def begin() -> None:
        async with AsyncExitStack() as stack:
            start_sources(appliance, stack)

    if appliance.demo is not None:
        monkeypatch.setattr(appliance.demo, "start", lambda: started.append("demo"))
    appliance.store.open()
    try:
        asyncio.run(begin())
    finally:
        appliance.store.close()
    shown = any(source is appliance.demo for source in appliance.parts.status.sources)
    assert shown is bool(started)
    return bool(started)


@pytest.mark.parametrize(("mode", "expected"), [("auto", False), ("on", True), ("off", False)])
def test_a_demo_beside_real_data_is_wanted_only_when_asked(
    real_data: Path, mode: Demo, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert expected is demo_runs(Settings(data_dir=real_data, demo=mode), monkeypatch)


@pytest.mark.parametrize(
    ("mode", "chain", "expected"),
    [
        *(("auto", False, True), ("auto", True, False)),
        *(("on", True, True), ("off", False, False)),
    ],
)
def test_a_demo_alone_goes_on_unless_a_chain_is_configured(
    demo_data: Path, mode: Demo, chain: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=demo_data, demo=mode)
    if chain:
        node, contract = ("http://127.0.0.1:9",), ("0x" + 40 * "a",)
        settings = replace(settings, rpc_url=node, contract_address=contract)
    assert expected is demo_runs(settings, monkeypatch)


def test_an_empty_store_gets_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert demo_runs(Settings(data_dir=tmp_path), monkeypatch)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("0.0.0.0", "http://127.0.0.1:3000"),
        ("::", "http://[::1]:3000"),
        ("10.1.2.3", "http://10.1.2.3:3000"),
    ],
)
def test_the_address_is_one_that_this_machine_reaches(host: str, expected: str) -> None:
    assert expected == app._address(Settings(bind_host=host), 3000)


async def test_a_part_that_died_does_not_stop_the_others_from_stopping() -> None:
    async def die() -> None:
        raise ValueError("dead")

    task = asyncio.create_task(die())
    await asyncio.wait([task])
    await app._cancel(task)


def test_an_address_of_another_machine_is_named(tmp_path: Path) -> None:
    expected = "PORT 3000 on BIND_HOST 192.0.2.1 must be free to listen on: "
    with pytest.raises(ConfigError, match=expected):
        serve(Settings(data_dir=tmp_path, bind_host="192.0.2.1"), Ending())


async def test_one_answer_needs_no_server(real_data: Path) -> None:
    """Nor does it leave a record of one."""
    settings = Settings(data_dir=real_data)
    status, body = await app.answer(settings, "/api/tradingview/symbols?symbol=real")
    assert (200, "REAL") == (status, msgspec.json.decode(body)["name"])
    assert running.read(real_data) is None
    built: Appliance = build(settings)
    assert built.parts.admin_token == built.server.token
    assert built.parts.instance == built.server.instance


# -- as a process --


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server with one market and without the demo."""
    data_dir = with_market(tmp_path_factory.mktemp("served"), REAL)
    server = Server(data_dir, "--no-demo")
    yield server.until("ready at")
    server.kill()


def plain(result: "subprocess.CompletedProcess[str]") -> str:
    """Return the one line that a refused start prints."""
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


def test_a_server_is_ready_and_answers(server: Server) -> None:
    status, body = server.ask("/health/ready")
    assert (200, "ready", 1) == (status, body["status"], body["trades_stored"])
    query = f"symbol=REAL&resolution=1&from={NOW - 3600}&to={NOW + 60}"
    status, body = server.ask(f"/api/tradingview/history?{query}")
    assert (200, "ok", [5.0]) == (status, body["s"], body["c"])
    ready = re.search(rf"ready at http://127\.0\.0\.1:{server.port} after ([0-9.]+) s", server.log)
    assert ready is not None
    assert float(ready[1]) < SECONDS_TO_START


def test_a_running_server_is_on_record(server: Server) -> None:
    assert stat.S_IMODE(server.record.stat().st_mode) == 0o600
    found = running.find(server.data_dir)
    assert found is not None
    assert (server.process.pid, f"http://127.0.0.1:{server.port}") == (found.pid, found.address)


def test_a_second_server_gets_one_plain_sentence(server: Server) -> None:
    """And the first goes on."""
    result = run("serve", "--port", free_port(), "--data-dir", server.data_dir)
    assert plain(result) == (
        f"appliance: the appliance at http://127.0.0.1:{server.port} (process "
        f"{server.process.pid}) has the data directory {server.data_dir} open: stop it, or start "
        "this one with another --data-dir"
    )
    assert server.ask("/health/ready")[0] == 200
    assert server.record.exists()


def test_a_taken_port_is_named(server: Server, tmp_path: Path) -> None:
    line = plain(run("serve", "--port", server.port, "--data-dir", tmp_path))
    assert line.startswith(f"appliance: PORT {server.port} on BIND_HOST 127.0.0.1 must be free to")
    assert line.endswith("Address already in use; stop what uses it, or choose another with --port")


def test_an_open_page_does_not_hold_up_the_stop(server: Server) -> None:
    """SIGTERM ends it with 0, its record goes, the log has no traceback."""
    server.ask("/health")  # keeps its connection
    code, seconds = server.end(signal.SIGTERM)
    assert (0, False) == (code, server.record.exists())
    assert seconds < SECONDS_TO_STOP
    assert "Traceback" not in server.log
    assert server.log.splitlines()[-1].endswith(
        "info app: stopped; everything acknowledged is stored"
    )


@pytest.mark.parametrize("number", ENDING)
def test_a_stop_before_the_start_is_over_is_clean(tmp_path: Path, number: signal.Signals) -> None:
    """Container engines ask only once."""
    process = subprocess.Popen(
        command("serve", "--port", free_port(), "--data-dir", tmp_path / "d", "--no-demo"),
        stderr=subprocess.PIPE,
        env=environment(SENTRY_DSN="x"),
        text=True,
    )
    assert process.stderr is not None
    assert "SENTRY_DSN: not used" in process.stderr.readline()  # it has begun
    process.send_signal(number)
    rest = process.stderr.read()
    process.stderr.close()
    assert (0, False) == (process.wait(30), "Traceback" in rest)


# -- the demo, killed while it seeds --


def stored(data_dir: Path) -> dict[str, Any]:
    """Return what a stopped server has left."""
    store = Store(Settings(data_dir=data_dir), Metrics(), lambda commit: None)
    store.open()

    def look(client: Any) -> dict[str, Any]:
        value = checkpoints.read(client, "source")["demo"]
        seeding = msgspec.json.decode(value, type=Seeding)
        sql = (
            "SELECT countIf(time < toDateTime({at:Int64})), count(), "
            "uniqExact(market_id, sequence, tie), "
            "uniqExactIf(intDiv({at:Int64} - toUnixTimestamp(time) - 1, 3600), "
            "time < toDateTime({at:Int64})), dateDiff('second', min(time), max(time)) "
            "FROM trades WHERE kind != 'mark'"
        )
        rows = client.query(sql, parameters={"at": seeding.seeded_at}).result_rows
        names = ("seeded", "all", "distinct", "hours", "seconds")
        return {"done": seeding.done, **dict(zip(names, rows[0], strict=True))}

    try:
        return store.writer.call(look).result(60)
    finally:
        store.close()


def test_a_demo_that_was_stopped_and_killed_is_whole_at_last(tmp_path: Path) -> None:
    """SIGTERM and kill -9 while it seeds: exactly its trades in the end, none twice."""
    data_dir = tmp_path / "demo"
    first = Server(data_dir).until("ready at").until_stored(3_600)
    code, seconds = first.end(signal.SIGTERM)
    assert (0, False) == (code, first.record.exists())
    assert seconds < SECONDS_TO_STOP
    assert "Traceback" not in first.log
    assert stored(data_dir)["done"] is False
    second = Server(data_dir).until("ready at")
    second.until_stored(20_000).end(signal.SIGKILL)
    assert second.record.exists()  # which nobody trusts
    third = Server(data_dir).until("the demo has stored 24 hours of history")
    assert third.ask("/health/ready")[1]["demo"] is True
    code, seconds = third.end(signal.SIGINT)
    assert (0, False) == (code, third.record.exists())
    assert seconds < SECONDS_TO_STOP
    assert "Traceback" not in third.log
    found = stored(data_dir)
    assert (True, 86_400, 24) == (found["done"], found["seeded"], found["hours"])
    assert found["all"] == found["distinct"]
