"""`appliance import`: its options, and files into a store that a server has open or nobody."""

import argparse
import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from appliance import cli, imports, running
from appliance.errors import ApplianceError, BadRequest, ConfigError, Conflict, Retryable
from appliance.files.importer import TradeRows
from appliance.files.log_rows import LogRows
from appliance.metrics import Metrics
from appliance.model import Market, Receipt
from appliance.progress import bars
from appliance.running import Running
from appliance.settings import Settings
from appliance.store.store import Store
from tests.chain_logs import POOL, swap
from tests.processes import Server, command, environment, run

RAW = f"--preset uniswap-v3 --market WETH/USDC --address {POOL}"
ROWS = [f"{'GOLD' if i % 3 else 'TIN'},{1_700_000_000 + i},{2_000 + i}.5,1.{i}" for i in range(60)]
TOTALS = (60, 60, 40)  # rows, distinct ones, of GOLD


@pytest.fixture
def trades(tmp_path: Path) -> Path:
    """Return a file of 60 trades in two markets."""
    path = tmp_path / "trades.csv"
    path.write_text("\n".join(["symbol,time,price,size", *ROWS]))
    return path


@pytest.fixture
def raw_logs(tmp_path: Path) -> Path:
    """Return a file of two swaps of 2,000 USDC against 1 WETH, and of a log that is none."""
    swaps = [swap(-2_000 * 10**6, 10**18, at=(100 + n, 3)) for n in range(2)]
    rows = [
        [s.block_number, s.time_us, s.transaction_hash, s.log_index, json.dumps(s.topics), s.data]
        for s in (*swaps, swaps[0]._replace(topics=["0x" + "0" * 64], log_index=9))
    ]
    path = tmp_path / "logs.csv"
    with path.open("w", newline="") as file:
        names = "block_number block_timestamp transaction_hash log_index topics data".split()
        csv.writer(file).writerows([names, *rows])
    return path


def options(path: Path, words: str = "") -> argparse.Namespace:
    return cli._parser().parse_args(["import", str(path), *words.split()])


def imported(data_dir: Path, path: Path, words: str = "") -> str:
    """Import in this process, without a server."""
    return imports.run(Settings(data_dir=data_dir), options(path, words))


def looked_at(data_dir: Path) -> tuple[list[Market], tuple[int, ...]]:
    """Return the markets, and how many trades there are, distinct ones, and of market GOLD."""
    store = Store(Settings(data_dir=data_dir), Metrics(), lambda commit: None)
    store.open()
    try:
        markets = store.catalogue.all()
        gold = next((m.id for m in markets if m.symbol == "GOLD"), 0)
        sql = (
            "SELECT count(), uniqExact(market_id, sequence, tie), "
            f"countIf(market_id = {gold}) FROM trades"
        )
        (row,) = store.writer.call(lambda client: client.query(sql).result_rows).result(30)
        return markets, tuple(row)
    finally:
        store.close()


# -- options --


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--address 0x1", "--address goes with --preset, for raw logs"),
        ("--invert", "--invert goes with --preset, for raw logs"),
        ("--price after", "--price goes with --preset, for raw logs"),
        ("--decimals 6,18", "--decimals goes with --preset, for raw logs"),
        ("--chain-id 1", "--chain-id goes with --preset, for raw logs"),
        ("--market GO:LD", "--market must be up to 32 letters, digits and . _ - with"),
        ("--map price", "--map must be FIELD=COLUMN"),
        ("--exchange demo", "--exchange must be up to 32 letters, digits and . _ - and not DEMO"),
        ("--exchange A:B", "--exchange must be"),
        ("--exchange " + "x" * 33, "--exchange must be"),
        ("--preset uniswap-v3 --market A", "--address must be the contract's address, 0x and 40"),
        (f"--preset vamm --market A --address {POOL}0", "--address must be the contract's"),
        (f"--preset vamm --address {POOL}", "--market must name the market of these logs"),
        (f"{RAW} --map time=x", "--map goes with files of trades, without --preset"),
        (f"{RAW} --decimals 6", "--decimals must be two numbers up to 77 like 6,18, was '6'"),
        (f"{RAW} --decimals 6,78", "--decimals must be two numbers up to 77 like 6,18, was"),
        (f"{RAW} --decimals=-6,18", "--decimals must be two numbers"),
        (f"{RAW} --chain-id 0", "--chain-id must be a whole number above 0, was '0'"),
        (f"{RAW} --chain-id=-1", "--chain-id must be a whole number above 0, was '-1'"),
        (f"{RAW} --chain-id {10**30}", "--chain-id must be a whole number above 0, was"),
        (f"{RAW} --exchange DEMO", "--exchange must be"),
    ],
)
def test_a_wrong_option_is_named(trades: Path, words: str, expected: str) -> None:
    """Before anything is read or opened."""
    with pytest.raises(BadRequest) as caught:
        imported(trades.parent / "data", trades, words)
    assert str(caught.value).startswith(expected)
    assert not (trades.parent / "data").exists()


@pytest.mark.parametrize("preset", ["uniswap-v9", "missing.toml"])
def test_a_wrong_preset_is_named(trades: Path, preset: str) -> None:
    with pytest.raises(ConfigError, match=preset):
        imported(trades.parent, trades, RAW.replace("uniswap-v3", preset))


def test_an_empty_preset_is_a_wrong_one(trades: Path) -> None:
    """As a script with an unset variable gives it."""
    words = ["import", str(trades), *RAW.split(), "--preset="]
    with pytest.raises(ConfigError, match="preset must be one of aerodrome, "):
        imports.run(Settings(data_dir=trades.parent), cli._parser().parse_args(words))


def test_a_price_rule_is_one_of_two(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options(Path("x"), "--price mean")
    assert "invalid choice: 'mean'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_a_file_that_is_none_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadRequest, match="FILE must be a file that exists, was "):
        imported(tmp_path, tmp_path / name)


def test_options_of_trades_are_used(trades: Path) -> None:
    rows = imports._trade_rows(options(trades, "--market gold --exchange dex --map price=p"))
    assert isinstance(rows, TradeRows)
    assert ("GOLD", "DEX", {"price": "p"}) == (rows._symbol, rows._exchange, rows._mapping)


def test_options_of_raw_logs_are_used(raw_logs: Path) -> None:
    words = f"{RAW} --decimals 6,18 --invert --price after --chain-id 137 --exchange quick"
    rows = imports._log_rows(options(raw_logs, words))
    assert isinstance(rows, LogRows)
    market = rows._market
    assert (6, 18, True, "after") == (
        *(market.decimals0, market.decimals1, market.invert, market.price_rule),
    )
    spec = market.spec
    assert ("WETH/USDC", "QUICK", 137, POOL, "WETH", "USDC", "chain") == (
        *(spec.symbol, spec.exchange, spec.chain_id, spec.contract),
        *(spec.base, spec.quote, spec.order),
    )
    plain = imports._log_rows(options(raw_logs, RAW))
    assert isinstance(plain, LogRows)
    assert (18, 18, False, None, "UNISWAP-V3", 1) == (
        *(plain._market.decimals0, plain._market.decimals1, plain._market.invert),
        *(plain._market.price_rule, plain._market.spec.exchange, plain._market.spec.chain_id),
    )


def test_a_market_inside_a_contract_is_named_by_its_key(raw_logs: Path) -> None:
    """By its id, or by the address of its token; anything else is refused by name."""
    words = RAW.replace("uniswap-v3", "uniswap-v4")
    for key in ("0x" + "ab" * 20, str(int("ab" * 20, 16))):
        rows = imports._log_rows(options(raw_logs, f"{words} --key {key}"))
        assert isinstance(rows, LogRows)
        assert "0x" + "0" * 24 + "ab" * 20 == rows._market.key
    with pytest.raises(BadRequest, match="--key must be the market's id or token"):
        imports._log_rows(options(raw_logs, f"{words} --key GOLD"))


# -- without a server --


def test_a_file_is_imported_once(trades: Path) -> None:
    data_dir = trades.parent / "data"
    span = "GOLD, TIN from 2023-11-14 22:13:20 UTC to 2023-11-14 22:14:19 UTC"
    expected = f"60 trades stored, 0 were stored already; {span}"
    assert expected == imported(data_dir, trades)
    assert f"0 trades stored, 60 were stored already; {span}" == imported(data_dir, trades)
    assert TOTALS == looked_at(data_dir)[1]
    assert [] == list((data_dir / "tmp").iterdir())


def test_raw_logs_are_imported(raw_logs: Path) -> None:
    data_dir = raw_logs.parent / "data"
    words = f"{RAW} --decimals 6,18 --invert --price execution"
    text = imported(data_dir, raw_logs, words)
    assert text.startswith("2 trades stored, 0 were stored already; WETH/USDC from 2023-11-14")
    assert text.endswith("\n1 logs of other events left out")
    assert imported(data_dir, raw_logs, words).startswith("0 trades stored, 2 were")
    (market,), _ = looked_at(data_dir)
    assert ("UNISWAP-V3", POOL, 1) == (
        *(market.spec.exchange, market.spec.contract, market.spec.chain_id),
    )


def test_a_broken_row_stores_nothing(trades: Path) -> None:
    """As a process: one line, exit code 2."""
    trades.write_text(trades.read_text() + "\nGOLD,1700000100,ten,1")
    data_dir = trades.parent / "data"
    result = run("import", trades, "--data-dir", data_dir)
    (line,) = [x for x in result.stderr.splitlines() if "schema brought up to date" not in x]
    expected = "appliance: line 62: price must be a number like 1234.5, was 'ten'"
    assert (2, "", expected) == (result.returncode, result.stdout, line)
    assert ([], (0, 0, 0)) == looked_at(data_dir)


KILLED = """
import os, signal, sys, threading
from appliance import cli, imports
from appliance.files import table
table.PIECE_ROWS = 5
whole = imports.import_file
def watched(path, rows, submit, folder, progress):
    def show(what, done):
        if what == "storing" and done > 0.3:
            number = getattr(signal, sys.argv[1])
            threading.Timer(float(sys.argv[2]), os.kill, (os.getpid(), number)).start()
    return whole(path, rows, submit, folder, show)
imports.import_file = watched
sys.exit(cli.main(["import", *sys.argv[3:]]))
"""


def interrupted(trades: Path, number: str, delay_s: float) -> "subprocess.CompletedProcess[str]":
    """Import and send a signal when a third of the file is stored."""
    words = [number, str(delay_s), str(trades), "--data-dir", str(trades.parent / "data")]
    return subprocess.run(
        [sys.executable, "-c", KILLED, *words],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(LOG_LEVEL="error"),
        cwd=Path(__file__).resolve().parents[1],
        check=False,
    )


def test_a_killed_import_is_continued(trades: Path) -> None:
    """Killed while it stores: what was stored is not stored twice, what was not is not lost."""
    result = interrupted(trades, "SIGKILL", 0.01)
    assert -signal.SIGKILL == result.returncode, result.stderr
    data_dir = trades.parent / "data"
    before = looked_at(data_dir)[1]
    assert 20 <= before[0] < 60
    text = imported(data_dir, trades)
    assert text.startswith(f"{60 - before[0]} trades stored, {before[0]} were stored already")
    assert TOTALS == looked_at(data_dir)[1]


def test_ctrl_c_is_clean(trades: Path) -> None:
    result = interrupted(trades, "SIGINT", 0.0)
    assert (130, "", "") == (result.returncode, result.stdout, result.stderr)
    imported(trades.parent / "data", trades)
    assert TOTALS == looked_at(trades.parent / "data")[1]


# -- through a server --


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("served") / "data", "--no-demo")
    yield server.until("ready at")
    server.kill()


def test_a_running_server_takes_the_trades(server: Server, trades: Path) -> None:
    """At once: its next answer has them."""
    result = run("import", trades, "--data-dir", server.data_dir)
    assert (0, "") == (result.returncode, result.stderr)
    assert result.stdout.startswith("60 trades stored, 0 were stored already; GOLD, TIN from")
    assert server.ask("/health/ready")[1]["trades_stored"] == 60
    again = imported(server.data_dir, trades)
    assert again.startswith("0 trades stored, 60 were stored already")
    query = "symbol=GOLD&resolution=1D&from=0&to=2000000000"
    assert [2_059.5] == server.ask(f"/api/tradingview/history?{query}")[1]["c"]


def test_a_server_s_refusal_is_told(server: Server, trades: Path) -> None:
    trades.write_text("symbol,time,price,size,id\nGOLD,1700000000,5,1,x")
    imported(server.data_dir, trades)
    trades.write_text("symbol,time,price,size,id\nGOLD,1700000000,6,1,x")
    with pytest.raises(Conflict, match=r"trade id 'x' is known with price 5\.0"):
        imported(server.data_dir, trades)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (409, b'{"error":{"message":"known"}}', Conflict("known")),
        (400, b'{"error":{"message":"wrong"}}', BadRequest("wrong")),
        (503, b'{"error":{"message":"busy"}}', Retryable("busy")),
        (500, b"<html>", Retryable("the server answered 500")),
        (401, b"[]", BadRequest("the server answered 401")),
        (200, b"<html>", Retryable("the server answered 200 with something else than a receipt")),
    ],
)
def test_answers_that_are_no_receipt_are_errors(
    monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, expected: ApplianceError
) -> None:
    monkeypatch.setattr(running, "post", lambda *_: (status, body))
    with pytest.raises(type(expected)) as caught:
        imports._send(Running("http://x", "t", "i", 1), b"")
    assert str(expected) == str(caught.value)


def test_a_receipt_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = 200, msgspec.json.encode({"accepted": 3, "duplicates": 4})
    monkeypatch.setattr(running, "post", lambda *_: answer)
    assert Receipt(3, 4) == imports._send(Running("http://x", "t", "i", 1), b"")


# -- progress --


class Screen(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_drawn_on_a_terminal_only(
    terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", screen := Screen(terminal))
    with bars() as progress:
        for what in ("reading", "storing"):
            for done in (0.25, 1.0):
                progress(what, done)
    assert terminal is ("reading   100 %" in screen.getvalue())
    assert terminal is ("storing   100 %" in screen.getvalue())
    assert terminal is bool(screen.getvalue())


def test_a_terminal_sees_bars_and_a_summary(trades: Path, tmp_path: Path) -> None:
    """As a process whose standard error is a terminal; its output stays the summary alone."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    words = command("import", trades, "--data-dir", tmp_path / "data")
    result: Any = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=theirs, env=environment(LOG_LEVEL="error"), check=True
    )
    os.close(theirs)
    drawn = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert "storing   100 %" in drawn
    assert result.stdout.startswith(b"60 trades stored")
    assert result.stdout.count(b"\n") == 1
