"""A real day of Ethereum mainnet, from raw logs to bars, against other people's minute bars.

The files lie beside the checkout and are not ours to ship; the rule itself is also tested on
logs of our own making (test_chain_fixture).
"""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from appliance.app import answer
from appliance.cli import main
from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.store.store import Store
from tests.oracle import exact

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
LOGS = DATA / "uniswap_v3_usdc_weth_2024-01-05.logs.csv"
MINUTES = DATA / "uniswap_v3_usdc_weth_2024-01-05.minute.csv"
POOL = "0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640"
SWAP = "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67"
DAY = 1_704_412_800
TICK = 1.0001

pytestmark = pytest.mark.skipif(
    not LOGS.exists(), reason="the real mainnet day (../shared/data) is not on this machine"
)


class History(msgspec.Struct):
    """An answer of the datafeed protocol."""

    s: str
    t: list[int]
    o: list[float]
    h: list[float]
    l: list[float]  # noqa: E741 - the protocol's name
    c: list[float]
    v: list[float]


@dataclass(frozen=True)
class Minute:
    """One minute of the other software: ticks after each swap."""

    time: int
    open: float
    high: float
    low: float
    close: float


@dataclass(frozen=True)
class Swap:
    """Exact amounts of one swap: raw integers of USDC (6) and WETH (18)."""

    time: int
    usdc: int
    weth: int


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Import the day, twice, by the command that a user types."""
    data_dir = tmp_path_factory.mktemp("day")
    command = ["import", str(LOGS), "--data-dir", str(data_dir), "--preset", "uniswap-v3"]
    command += ["--market", "WETH/USDC", "--address", POOL, "--decimals", "6,18", "--invert"]
    command += ["--price", "after", "--chain-id", "1"]
    assert main(command) == 0
    assert main(command) == 0
    return Settings(data_dir=data_dir, demo="off")


async def history(settings: Settings) -> History:
    """Return the day at resolution 1."""
    path = f"/api/tradingview/history?symbol=WETH/USDC&resolution=1&from={DAY}&to={DAY + 86_400}"
    status, body = await answer(settings, path)
    assert status == 200
    return msgspec.json.decode(body, type=History)


def price(tick: float) -> float:
    """Return USDC per WETH at a tick: decimals and inversion applied."""
    return 1.0 / float(TICK**tick * 10.0 ** (6 - 18))


def minutes() -> Iterator[Minute]:
    """Yield the minutes that hold swaps; inversion swaps high and low."""
    with MINUTES.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["openTick"]:
                when = datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC)
                names = ("openTick", "lowestTick", "highestTick", "closeTick")
                yield Minute(int(when.timestamp()), *(price(float(row[n])) for n in names))


def signed(word: str) -> int:
    """Return 64 hex digits as a signed integer."""
    value = int(word, 16)
    return value - (1 << 256) if value >> 255 else value


def swaps() -> Iterator[Swap]:
    """Yield the swaps of the raw logs, read here once more and slowly."""
    with LOGS.open(newline="") as file:
        for row in csv.DictReader(file):
            if json.loads(row["topics"])[0] == SWAP:
                when = datetime.fromisoformat(row["block_timestamp"]).replace(tzinfo=UTC)
                data = row["data"][2:]
                amounts = abs(signed(data[:64])), abs(signed(data[64:128]))
                yield Swap(int(when.timestamp()), *amounts)


async def test_every_minute_has_its_bar_within_one_tick(imported: Settings) -> None:
    """All 1,408 minutes, open, high, low and close, as the other software has them."""
    bars = await history(imported)
    expected = [m for m in minutes() if DAY <= m.time < DAY + 86_400]
    traded = {swap.time // 60 * 60 for swap in swaps()}
    expected = [m for m in expected if m.time in traded]
    assert (1_408, [m.time for m in expected]) == (len(bars.t), bars.t)
    for minute, *ohlc in zip(expected, bars.o, bars.h, bars.l, bars.c, strict=True):
        wanted = (minute.open, minute.high, minute.low, minute.close)
        for theirs, ours in zip(wanted, ohlc, strict=True):
            assert theirs / TICK <= ours <= theirs * TICK, minute


async def test_volumes_are_the_exact_integer_sums(imported: Settings) -> None:
    """Base and quote volume of every minute and of the day, to the last digit."""
    base: dict[int, int] = {}
    quote: dict[int, int] = {}
    for swap in swaps():
        minute = swap.time // 60 * 60
        base[minute] = base.get(minute, 0) + swap.weth
        quote[minute] = quote.get(minute, 0) + swap.usdc * 10**12
    expected = {t: (exact(base[t]), exact(quote[t])) for t in base}
    assert expected == stored_volumes(imported, 60)
    day = (exact(sum(base.values())), exact(sum(quote.values())))
    assert {DAY: day} == stored_volumes(imported, 86_400)
    bars = await history(imported)
    assert [float(expected[t][0]) for t in bars.t] == bars.v


def stored_volumes(settings: Settings, interval: int) -> dict[int, tuple[Decimal, Decimal]]:
    """Return exact base and quote volumes of the stored candles by bucket."""
    store = Store(settings, Metrics(), lambda commit: None)
    store.open()
    try:
        rows = store.writer.call(
            lambda client: (
                client.query(
                    "SELECT toUnixTimestamp(bucket), sum(base_volume), sum(quote_volume) "
                    "FROM candles WHERE interval = {interval:UInt32} GROUP BY bucket",
                    parameters={"interval": interval},
                ).result_rows
            )
        ).result()
    finally:
        store.close()
    return {row[0]: (row[1], row[2]) for row in rows}
