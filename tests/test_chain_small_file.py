"""A small invented file, from CSV to candles, against an oracle that shares no code with us.

`tests/data/uniswap_v3_small.logs.csv` holds 72 made-up logs of one pool over ten minutes, 68 of
them swaps: several in one block, two of these in the wrong order in the file, three that moved
nothing of one token or of both, four mints, and a pause of two minutes.
"""

import csv
import json
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from appliance.chain.log import Logs
from tests.chain_logs import POOL, pool_decoder, read_csv

SMALL = Path(__file__).parent / "data" / "uniswap_v3_small.logs.csv"
SWAP = "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67"


def signed(word: str) -> int:
    value = int(word, 16)
    return value - 2**256 if value >= 2**255 else value


def oracle(invert: bool, after: bool) -> dict[str, dict[str, Any]]:
    """Return candles by minute text, folded with nothing but the csv and fractions."""
    minutes: dict[str, list[tuple[int, int, Fraction | None, Fraction, Fraction, bool]]]
    minutes = defaultdict(list)
    with SMALL.open(newline="") as file:
        for line in csv.DictReader(file):
            if json.loads(line["topics"])[0] != SWAP:
                continue
            words = [signed(line["data"][2 + 64 * i : 66 + 64 * i]) for i in range(5)]
            usdc, weth = Fraction(abs(words[0]), 10**6), Fraction(abs(words[1]), 10**18)
            price = weth / usdc if usdc and weth else None
            if after:
                price = Fraction(words[2] ** 2, 2**192) / 10**12
            base, quote, bought = usdc, weth, words[0] < 0
            if invert:
                base, quote, bought = weth, usdc, words[0] > 0
                price = 1 / price if price else None
            at = int(line["block_number"]), int(line["log_index"])
            minutes[line["block_timestamp"][:16]].append((*at, price, base, quote, bought))
    return {minute: fold(sorted(swaps)) for minute, swaps in minutes.items()}


def fold(swaps: list[Any]) -> dict[str, Any]:
    prices = [float(s[2]) for s in swaps if s[2] is not None]
    return {
        "open": prices[0],
        "high": max(prices),
        "low": min(prices),
        "close": prices[-1],
        "volume": sum(s[3] for s in swaps),
        "quote_volume": sum(s[4] for s in swaps),
        "buy_volume": sum(s[3] for s in swaps if s[5]),
        "trades": len(swaps),
    }


def decoded(invert: bool, after: bool) -> dict[str, dict[str, Any]]:
    decoder = pool_decoder(invert=invert, rule="after" if after else "execution")
    result = decoder.decode(Logs.of(read_csv(SMALL, POOL)))
    assert (result.counts.decoded, result.counts.ignored, result.counts.malformed) == (68, 4, 0)
    minutes: dict[str, list[Any]] = defaultdict(list)
    for row in result.trades.to_pylist():
        volumes = Fraction(row["base_volume"]), Fraction(row["quote_volume"])
        swap = (0, 0, row["price"], *volumes, row["side"] == "buy")
        minutes[row["time"].strftime("%Y-%m-%d %H:%M")].append(swap)
    return {minute: fold(swaps) for minute, swaps in minutes.items()}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("invert", [False, True])
def test_candles_of_the_small_file_are_the_oracles(invert: bool, after: bool) -> None:
    assert decoded(invert, after) == oracle(invert, after)


def test_a_candle_of_the_small_file_in_figures() -> None:
    """The minute before the pause, worked out by hand from its two swaps."""
    assert decoded(invert=True, after=False)["2023-11-14 22:18"] == {
        "open": 1998.4254525540014,
        "high": 1998.4254525540014,
        "low": 1998.0964930029631,
        "close": 1998.0964930029631,
        "volume": Fraction("0.558095110945895008"),
        "quote_volume": Fraction("1115.213027"),
        "buy_volume": Fraction("0.299269803582560640"),
        "trades": 2,
    }
    assert "2023-11-14 22:19" not in decoded(invert=True, after=False)


def test_the_file_holds_the_cases_it_is_for() -> None:
    logs = read_csv(SMALL, POOL)
    order = [(log.block_number, log.log_index) for log in logs]
    assert order != sorted(order)
    assert len({block for block, _ in order}) < len(order)
    trades = pool_decoder().decode(Logs.of(logs)).trades
    assert trades["execution_price"].null_count == 3
    assert trades["price"].null_count == 3
    assert trades["mark_price"].null_count == 0
    empty = [r for r in trades.to_pylist() if not r["base_volume"] and not r["quote_volume"]]
    assert [r["side"] for r in empty] == [""]
    assert trades["sequence"].to_pylist() == sorted(trades["sequence"].to_pylist())
    assert isinstance(trades["base_volume"][0].as_py(), Decimal)
