"""What a followed chain must have become: stored rows and candles against the independent oracle.

    python -m tests.following_proof DATA_DIR EXPECTED

compares a data directory as it lies, in a process of its own: the engine opens one in a process.
"""

import pickle
import subprocess
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from appliance.interval import STORED
from appliance.settings import Settings
from appliance.store.engine import Engine
from tests.chain_oracle import Expected
from tests.oracle import C, exact

UNIT: Final = 10**18
_TRADES: Final = """
SELECT contract, block_number, log_index, time, transaction_hash, kind, side, price,
    execution_price, mark_price, base_volume, quote_volume, fee, pnl, leverage, trader,
    position_id
FROM trades
INNER JOIN (SELECT market_id, contract FROM markets FINAL) AS known USING (market_id)
ORDER BY contract, block_number, log_index
"""
_CANDLES: Final = """
SELECT contract, toUnixTimestamp(bucket) AS start, argMinMerge(open), max(high), min(low),
    argMaxMerge(close), sum(base_volume), sum(buy_volume), sum(trades)
FROM candles
INNER JOIN (SELECT market_id, contract FROM markets FINAL) AS known USING (market_id)
WHERE interval = {interval:UInt32}
GROUP BY contract, start ORDER BY contract, start
"""
_RATES: Final = """
SELECT contract, toUnixTimestamp(marks.time) AS second, value
FROM marks FINAL
INNER JOIN (SELECT market_id, contract FROM markets FINAL) AS known USING (market_id)
WHERE kind = 'funding' ORDER BY contract, sequence
"""
Row = tuple[Any, ...]


def expected_trades(expected: Expected) -> list[Row]:
    """Return the rows that must be stored, by contract and place in the chain."""
    rows = sorted(expected.rows, key=lambda row: (row.market, row.block_number, row.log_index))
    return [
        (
            *(r.market, r.block_number, r.log_index, r.time, r.transaction_hash, r.kind, r.side),
            *(r.price("after"), r.price("execution"), _price(r.mark)),
            *map(exact, (r.base, r.quote, r.fee, r.pnl)),
            *(float(r.leverage), r.trader, r.position_id),
        )
        for r in rows
    ]


def _price(units: int | None) -> float | None:
    return None if units is None else units / UNIT


def stored_trades(client: Client) -> list[Row]:
    """Return the rows that are stored, in the same order; one stored twice is there twice."""
    return [
        tuple(int(v.timestamp()) if isinstance(v, datetime) else v for v in row)
        for row in client.query(_TRADES).result_rows
    ]


def stored_rates(client: Client) -> list[Row]:
    """Return the stored funding rates as (contract, second, rate)."""
    return [tuple(row) for row in client.query(_RATES).result_rows]


def expected_rates(expected: Expected) -> list[Row]:
    """Return the funding rates that must be stored."""
    rates = sorted(expected.rates, key=lambda r: (r.market, r.block_number, r.log_index))
    return [(rate.market, rate.time, rate.rate) for rate in rates]


def assert_exact(client: Client, expected: Expected, told: str = "") -> int:
    """Compare trades, funding and the candles of all stored intervals; return how many trades."""
    wanted, found = expected_trades(expected), stored_trades(client)
    assert wanted == found, f"{told}: {_difference(wanted, found)}"
    wanted, found = expected_rates(expected), stored_rates(client)
    assert wanted == found, f"{told}: {_difference(wanted, found)}"
    for interval in STORED:
        wanted = [
            (market, *_candle(candle))
            for market in sorted(expected.markets)
            for candle in expected.candles(market, interval)
        ]
        rows = client.query(_CANDLES, parameters={"interval": interval.seconds}).result_rows
        found = [tuple(row) for row in rows]
        assert wanted == found, f"{told}: {interval.name}: {_difference(wanted, found)}"
    return len(expected.rows)


def _candle(c: C) -> Row:
    return (c.time, c.open, c.high, c.low, c.close, c.volume, c.buy_volume, c.trades)


def _difference(wanted: Iterable[Row], found: Iterable[Row]) -> str:
    """Return what is missing and what is too much, in brief."""
    left, right = list(wanted), list(found)
    counts = f"{len(left)} wanted, {len(right)} found, {len(right) - len(set(right))} of them twice"
    missing = [row for row in left if row not in set(right)][:3]
    extra = [row for row in right if row not in set(left)][:3]
    return f"{counts}; missing {missing}; too much {extra}"


def assert_directory(data_dir: Path, expected: Expected, told: str) -> int:
    """Compare a directory that no process has open, as `assert_exact` does."""
    path = data_dir.with_suffix(".expected")
    path.write_bytes(pickle.dumps(expected))
    command = [sys.executable, "-m", "tests.following_proof", str(data_dir), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{told}: {done.stderr}"
    return int(done.stdout)


def main(data_dir: Path, path: Path) -> None:
    """Compare, and print how many trades there are."""
    engine = Engine(Settings(data_dir=data_dir).store_dsn)
    try:
        print(assert_exact(engine.open(), pickle.loads(path.read_bytes())))
    finally:
        engine.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
