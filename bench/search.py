"""Time of searches over a million markets, the memory of their index, and how long the loop waits.

The store's part is played by made-up numbers: 50,000 of the markets were traded in 24 hours. The
catalogue itself, which every other question needs too, is measured apart from the index.
"""

import asyncio
import gc
import random
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from appliance.directory import Directory
from appliance.model import Market, MarketId, MarketSpec
from appliance.store.catalogue import Catalogue
from appliance.store.reader import Columns

MARKETS: Final = 1_000_000
BUSY: Final = 50_000
QUESTIONS: Final = 2_000
EXCHANGES: Final = ("UNISWAP", "PANCAKE", "AERODROME", "SUSHI")
QUOTES: Final = ("USDC", "USDT", "WETH", "DAI", "WBTC")
LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def run(_: Path) -> None:
    """Print the figures."""
    asyncio.run(_run())


async def _run() -> None:
    choose = random.Random(1)
    before = _resident_mb()
    catalogue = Catalogue(_markets(choose))
    gc.collect()
    gc.freeze()  # as the server does once it is ready
    held = _resident_mb()
    print(f"{len(catalogue):,} markets, of which {BUSY:,} were traded in 24 hours")
    print(f"{'catalogue':>24} {held - before:>8.0f} MB")
    directory = Directory(_Numbers(), catalogue, time.time)  # type: ignore[arg-type] # two queries
    lag = asyncio.create_task(_lag())
    await asyncio.sleep(2)
    _waited("idle loop late, p99")
    begun = time.perf_counter()
    directory.start()
    await directory.indexed()
    _waited("meanwhile, p99")
    print(f"{'index made in':>24} {time.perf_counter() - begun:>8.1f} s")
    await _questions(directory, catalogue, choose)
    gc.collect()
    print(f"{'index':>24} {_resident_mb() - held:>8.0f} MB")
    lag.cancel()
    directory.close()


LAGS: list[float] = []


def _waited(title: str) -> None:
    """Print how late the loop was, which an idle one is too where others use the machine."""
    print(f"{title:>24} {_percentile(LAGS, 99):>8.1f} ms, at most {max(LAGS):.1f}")
    LAGS.clear()


async def _lag() -> None:
    """Note how much later than it should the event loop runs this, in milliseconds."""
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(0.001)
        LAGS.append((time.perf_counter() - begun) * 1e3 - 1)


async def _questions(directory: Directory, catalogue: Catalogue, choose: random.Random) -> None:
    await directory.search("")  # the numbers are read
    every: list[float] = []
    LAGS.clear()
    print(f"{'question':>24} {'median':>8} {'p95':>8} {'max':>8}  ms")
    for name, questions in _texts(catalogue, choose).items():
        taken = []
        for text, exchange in questions:
            begun = time.perf_counter()
            await directory.search(text, exchange)
            taken.append((time.perf_counter() - begun) * 1e3)
        every += taken
        _line(name, taken)
    _line("all", every)
    _waited("meanwhile, p99")


def _line(name: str, taken: list[float]) -> None:
    median = statistics.median(taken)
    print(f"{name:>24} {median:>8.1f} {_percentile(taken, 95):>8.1f} {max(taken):>8.1f}")


def _percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


def _texts(catalogue: Catalogue, choose: random.Random) -> dict[str, list[tuple[str, str]]]:
    count = QUESTIONS // 10
    some = [catalogue.get(choose.randint(1, MARKETS)) for _ in range(count)]

    def parts(length: int) -> list[tuple[str, str]]:
        words = (m.spec.base + m.spec.quote for m in some)
        begins = ((w, choose.randint(0, max(0, len(w) - length))) for w in words)
        return [(w[b : b + length], "") for w, b in begins]

    return {
        "a symbol": [(m.symbol.lower(), "") for m in some],
        "its plain form": [(m.plain_symbol.lower(), "") for m in some],
        "an address": [(m.spec.contract, "") for m in some],
        "its first digits": [(m.spec.contract[: choose.randint(4, 12)], "") for m in some],
        "its last digits": [(m.spec.contract[-choose.randint(4, 6) :], "") for m in some],
        "first letters": [(m.symbol[: choose.randint(1, 5)], "") for m in some],
        "two letters": parts(2),
        "three letters": parts(3),
        "four to six letters": parts(4) + parts(6),
        "a quote asset": [(choose.choice(QUOTES), "") for _ in some],
        "nothing like it": [("".join(choose.choices(LETTERS, k=7)), "") for _ in some],
        "of one exchange": [(m.symbol[:3], choose.choice((*EXCHANGES, "RARE"))) for m in some],
    }


def _markets(choose: random.Random) -> Iterator[Market]:
    tokens = ["".join(choose.choices(LETTERS, k=choose.randint(3, 6))) for _ in range(200_000)]
    for number in range(1, MARKETS + 1):
        base, quote = choose.choice(tokens), choose.choice(QUOTES)
        contract = f"0x{choose.getrandbits(160):040x}"
        symbol = f"{base}/{quote}"
        if choose.random() < 0.6:  # the name was taken
            symbol += f".{contract[2:8].upper()}"
        exchange = "RARE" if choose.random() < 0.001 else choose.choice(EXCHANGES)
        pair = {"base": base, "quote": quote, "order": "chain", "price_decimals": 8}
        yield Market(
            MarketId(number),
            MarketSpec(symbol, f"{base} / {quote}", exchange, 8453, contract, **pair),  # type: ignore[arg-type] # the fields' names
        )


class _Numbers:
    """Answers what the board asks the store: a price of each market, the day of the busy ones."""

    async def query(self, name: str, **bounds: int) -> Columns:
        ids = range(max(1, bounds["first"]), min(MARKETS, bounds["last"]) + 1)
        if name == "select_prices":
            return [ids, [1.0] * len(ids)]
        ids = ids[:: MARKETS // BUSY]
        ones = [1.0] * len(ids)
        volumes = np.random.default_rng(bounds["first"]).pareto(1.2, len(ids))
        return [ids, *[ones] * 5, volumes.tolist(), ones]


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6
