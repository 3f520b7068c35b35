"""Made-up trades for the benchmarks, as tables ready to submit."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from appliance.model import LOG_INDEX_BITS, VOLUME, MarketSpec, trade_table

SPEC: Final = MarketSpec("BENCH", chain_id=1, contract="0x" + "be" * 20, order="chain")
START: Final = 1_700_000_000
"""2023-11-14, the first trade."""


def batch(rows: int, first: int, per_second: int) -> pa.Table:
    """Return `rows` trades in chain order, from number `first` on, `per_second` in each second.

    Each has a block of its own, a price of a random walk and random volumes.
    """
    number = np.arange(first, first + rows, dtype=np.int64)
    random = np.random.default_rng(first)
    price = 2_000 + np.cumsum(random.normal(0, 0.05, rows))
    return trade_table(
        rows,
        market_id=pa.array(np.zeros(rows, np.uint32)),
        time=pa.array(START * 10**6 + number * (10**6 // per_second)).cast(
            pa.timestamp("us", "UTC")
        ),
        sequence=pa.array(number.astype(np.uint64) << np.uint64(LOG_INDEX_BITS)),
        price=pa.array(price),
        execution_price=pa.array(price),
        base_volume=_volumes(random, rows),
        quote_volume=_volumes(random, rows),
        side=pa.array(np.where(random.random(rows) < 0.5, "buy", "sell")),
        kind=pa.repeat(pa.scalar("trade"), rows),
        chain_id=pa.array(np.ones(rows, np.uint64)),
        block_number=pa.array(number.astype(np.uint64)),
    )


def spread(
    times: npt.NDArray[np.int64], markets: int, random_numbers: np.random.Generator
) -> pa.Table:
    """Return a trade at each of these unix seconds in each of some markets, without coordinates."""
    rows = len(times) * markets
    prices = np.round(100 + np.cumsum(random_numbers.normal(0, 0.05, rows)) % 50, 2)
    micros = np.tile(times * 10**6, markets)
    sizes = np.zeros((rows, 2), np.int64)
    sizes[:, 0] = random_numbers.integers(1, 10**5, rows) * 10**13
    volume = pa.Array.from_buffers(VOLUME, rows, [None, pa.py_buffer(sizes.tobytes())])
    return trade_table(
        rows,
        market_id=pa.array(np.repeat(np.arange(markets, dtype=np.uint32), len(times))),
        time=pa.array(micros).cast(pa.timestamp("us", "UTC")),
        sequence=pa.array(micros.astype(np.uint64)),
        price=pa.array(prices),
        execution_price=pa.array(prices),
        base_volume=volume,
        quote_volume=volume,
        kind=pa.repeat(pa.scalar("trade"), rows),
        trade_id=pa.array([str(n) for n in range(rows)]),
    )


def _volumes(random: np.random.Generator, rows: int) -> pa.Array:
    words = np.zeros((rows, 2), np.int64)
    words[:, 0] = random.integers(10**15, 10**18, rows)
    return pa.Array.from_buffers(VOLUME, rows, [None, pa.py_buffer(words.tobytes())])
