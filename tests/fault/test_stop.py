"""A stop under load loses nothing that was acknowledged, and does not make anybody wait."""

import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.store.rebuild import unequal
from appliance.store.store import Store
from tests.fault.pushers import FIRST_S, KEY, Pushers
from tests.processes import Server

PROMISED_S = 15.0
SHORT, LONG = 5_000, pytest.param(200_000, marks=pytest.mark.fault)


def serve(data_dir: Path) -> Server:
    return Server(data_dir, "--no-demo", API_KEYS=KEY).until("ready at")


def stored(data_dir: Path) -> Counter[str]:
    """Return how often each trade is stored, having compared candles with trades."""
    store = Store(Settings(data_dir=data_dir), Metrics(), lambda _: None)
    store.open()

    def look(client: Any) -> Counter[str]:
        ids = [market.id for market in store.catalogue.all()]
        assert [] == unequal(client, ids, FIRST_S, FIRST_S + 10**7)
        return Counter(client.query("SELECT trade_id FROM trades").result_columns[0])

    try:
        return store.writer.call(look).result(60)
    finally:
        store.close()


def assert_all_there(pushers: Pushers, data_dir: Path) -> None:
    """Each acknowledged trade once; of others, whole batches whose answer was not heard."""
    found = stored(data_dir)
    assert set() == pushers.acknowledged - found.keys()
    assert 1 == max(found.values())
    assert len(found) - len(pushers.acknowledged) <= pushers.count * pushers.batch


def closing(socket: ClientConnection) -> int | None:
    """Return the code a socket was closed with, having read all that came before."""
    try:
        while True:
            socket.recv(timeout=5)
    except ConnectionClosed:
        return socket.close_code


@pytest.mark.parametrize("trades", [SHORT, LONG])
def test_a_stop_under_load_keeps_what_was_acknowledged(tmp_path: Path, trades: int) -> None:
    """SIGTERM while four clients push: sockets are told, exit 0 within 15 s, nothing is lost."""
    server = serve(tmp_path / "data")
    try:
        url = f"ws://127.0.0.1:{server.port}/ws"
        with Pushers(server) as pushers, connect(url, close_timeout=1) as socket:
            pushers.until(trades)
            code, seconds = server.end(signal.SIGTERM)
            said = closing(socket)
    finally:
        server.kill()
    assert 1001 == said
    assert 0 == code
    assert seconds < PROMISED_S
    assert "Traceback" not in server.log
    assert "stopped; everything acknowledged is stored" in server.log
    print(f"{len(pushers.acknowledged):,} trades acknowledged, stopped in {seconds:.1f} s")
    assert_all_there(pushers, tmp_path / "data")


@pytest.mark.parametrize("trades", [SHORT, LONG])
def test_ctrl_c_twice_is_immediate_and_safe(tmp_path: Path, trades: int) -> None:
    """The second one ends the process at once with 130; the journal has what was acknowledged."""
    server = serve(tmp_path / "data")
    try:
        with Pushers(server) as pushers:
            pushers.until(trades)
            server.process.send_signal(signal.SIGINT)
            server.until("info app: stopping")
            code, seconds = server.end(signal.SIGINT)
    finally:
        server.kill()
    assert 130 == code
    assert seconds < 1.0
    assert "Traceback" not in server.log
    print(f"{len(pushers.acknowledged):,} trades acknowledged, ended in {seconds:.2f} s")
    assert_all_there(pushers, tmp_path / "data")
