"""Read a data directory as it lies, in a process of its own: nothing is recovered or mended.

    python -m tests.fault.audit DATA_DIR FEED…

The report, DATA_DIR.npz, holds the numbers and forks of the trades of each feed. `wrong` counts
rows that do not hold what their number says, `doubled` those stored twice, and `unequal`, for each
stored interval, the candles that are not what the trades make: they are made anew straight from
the trades, by a query that shares nothing with the view.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
from clickhouse_connect.driver.client import Client
from numpy.typing import NDArray

from appliance.interval import STORED
from appliance.settings import Settings
from appliance.store.engine import Engine
from tests.fault import feed

PATIENCE_S: Final = 300
_TRADES: Final = f"""
SELECT
    multiIf(
        block_number > 0, toInt64(block_number - 1) * {feed.PER_BLOCK} + log_index,
        symbol LIKE '{feed.WITHOUT_IDS}%',
        intDiv(toUnixTimestamp64Micro(time) - {feed.START_US}, {feed.STEP_US}),
        toInt64OrZero(trade_id)) AS number,
    toUnixTimestamp64Micro(time) AS at,
    assumeNotNull(price) AS p,
    toInt64(base_volume * 1000000000000000000) AS units,
    toInt64(side = 'sell') AS sold,
    toInt64(symbol = if(block_number = 0, {{name:String}},
       concat({{name:String}}, toString((block_number - 1) % 2)))) AS own
FROM trades
INNER JOIN (SELECT market_id, symbol FROM markets FINAL) AS known USING (market_id)
WHERE symbol LIKE concat({{name:String}}, '%')
ORDER BY number
"""
_CANDLES: Final = """
WITH
    made AS (
        SELECT market_id, intDiv(toUnixTimestamp(time), {i:UInt32}) * {i:UInt32} AS start,
            argMin(price, (sequence, tie)) AS o, max(price) AS h, min(price) AS l,
            argMax(price, (sequence, tie)) AS c,
            sum(toDecimal256(base_volume, 18)) AS base,
            sum(toDecimal256(quote_volume, 18)) AS quote,
            sumIf(toDecimal256(base_volume, 18), side = 'buy') AS buy,
            sumIf(toDecimal256(quote_volume, 18), side = 'buy') AS buy_quote,
            countIf(kind != 'mark') AS n, min(sequence) AS first, max(sequence) AS last,
            count() AS r
        FROM trades GROUP BY market_id, start
    ),
    kept AS (
        SELECT market_id, toUnixTimestamp(bucket) AS start,
            argMinMerge(open) AS o, max(high) AS h, min(low) AS l, argMaxMerge(close) AS c,
            sum(base_volume) AS base, sum(quote_volume) AS quote,
            sum(buy_volume) AS buy, sum(buy_quote_volume) AS buy_quote,
            sum(trades) AS n, min(first_sequence) AS first, max(last_sequence) AS last,
            sum(rows) AS r
        FROM candles WHERE interval = {i:UInt32} GROUP BY market_id, start
    )
SELECT (SELECT count() FROM (SELECT * FROM made EXCEPT SELECT * FROM kept))
    + (SELECT count() FROM (SELECT * FROM kept EXCEPT SELECT * FROM made))
"""
Report = dict[str, NDArray[Any]]


def report(data_dir: Path, names: list[str]) -> Report:
    """Return the report on a directory that no process has open."""
    command = [sys.executable, "-m", "tests.fault.audit", str(data_dir), *names]
    subprocess.run(command, check=True, timeout=PATIENCE_S)
    with np.load(data_dir.with_suffix(".npz")) as found:
        return dict(found)


def unequal(client: Client) -> list[int]:
    """Return, for each stored interval, how many candles are not what the trades make."""
    return [
        int(client.query(_CANDLES, parameters={"i": interval.seconds}).result_rows[0][0])
        for interval in STORED
    ]


def _read(client: Client, name: str) -> tuple[NDArray[np.int64], int, int]:
    """Return numbers and forks of a feed's trades, how many are wrong, and how many doubled."""
    columns = client.query_arrow(_TRADES, parameters={"name": name})
    number, at, price, units, sold, own = (c.to_numpy() for c in columns.columns)
    fork = feed.fork(number, price)
    right = own.astype(bool)
    right &= price == feed.price(number, fork)
    right &= units == feed.size_units(number)
    right &= sold == number % 2
    right &= at == feed.time_us(number, name.startswith(feed.ON_CHAIN))
    return np.stack([number, fork]), int((~right).sum()), int((np.diff(number) == 0).sum())


def main(data_dir: Path, names: list[str]) -> None:
    """Write the report."""
    engine = Engine(Settings(data_dir=data_dir).store_dsn)
    client = engine.open()
    try:
        found: Report = {"unequal": np.array(unequal(client))}
        wrong = doubled = rows = 0
        for name in names:
            found[name], wrong_here, doubled_here = _read(client, name)
            wrong, doubled, rows = (
                wrong + wrong_here,
                doubled + doubled_here,
                rows + len(found[name][0]),
            )
        every = int(client.query("SELECT count() FROM trades").result_rows[0][0])
        found |= {"wrong": np.array(wrong + every - rows), "doubled": np.array(doubled)}
    finally:
        engine.close()
    np.savez(data_dir.with_suffix(".npz"), **found)  # type: ignore[arg-type] # not its other argument


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
