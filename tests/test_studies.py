"""The page's indicators against those of talipp, also while the last bar forms."""

import json
import math
import random
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from talipp.indicators import BB, EMA, MACD, RSI, SMA, VWAP
from talipp.ohlcv import OHLCV

SCRIPT: Final = Path(__file__).parent / "js/study-values.js"
DAY_S: Final = 86_400
START: Final = 1_700_006_400 - 90 * 600  # 90 bars before a day begins
Bar = dict[str, float]
Values = list[list[float | None]]


def close_of(bars: Sequence[Bar]) -> list[float]:
    return [bar["close"] for bar in bars]


def one(values: Sequence[Any]) -> Values:
    return [[value] for value in values]


def by_day(bars: Sequence[Bar]) -> Values:
    """Return talipp's VWAP, begun anew each day, as ours is."""
    found: Values = []
    for day in dict.fromkeys(int(bar["time"]) // DAY_S for bar in bars):
        rows = [bar for bar in bars if bar["time"] // DAY_S == day]
        names = ("open", "high", "low", "close", "volume")
        found += one(VWAP([OHLCV(*(bar[name] for name in names)) for bar in rows]))
    return found


def bands(bars: Sequence[Bar], length: int, width: float) -> Values:
    return [
        [None] * 3 if value is None else [value.ub, value.cb, value.lb]
        for value in BB(length, width, close_of(bars))
    ]


def convergence(bars: Sequence[Bar], *lengths: int) -> Values:
    return [
        [None] * 3 if value is None else [value.macd, value.signal, value.histogram]
        for value in MACD(*lengths, close_of(bars))
    ]


REFERENCES: Final[dict[tuple[str, tuple[float, ...]], Callable[[Sequence[Bar]], Values]]] = {
    ("sma", (20,)): lambda bars: one(SMA(20, close_of(bars))),
    ("sma", (1,)): lambda bars: one(SMA(1, close_of(bars))),
    ("ema", (50,)): lambda bars: one(EMA(50, close_of(bars))),
    ("bollinger", (20, 2.5)): lambda bars: bands(bars, 20, 2.5),
    ("vwap", ()): by_day,
    ("rsi", (14,)): lambda bars: one(RSI(14, close_of(bars))),
    ("macd", (12, 26, 9)): lambda bars: convergence(bars, 12, 26, 9),
}


def walk(dice: random.Random, count: int, price: float) -> list[Bar]:
    """Return bars of a random walk, of which some do not move and some have no volume."""
    bars = []
    for number in range(count):
        prices = [price * (1 + dice.choice((0, 0.002)) * dice.gauss(0, 1)) for _ in range(4)]
        price = prices[-1]
        volume = dice.choice((0.0, dice.expovariate(0.1)))
        bars.append(_bar(START + 600 * number, prices, volume))
    return bars


def _bar(time: int, prices: Sequence[float], volume: float) -> Bar:
    ends = {"open": prices[0], "high": max(prices), "low": min(prices), "close": prices[-1]}
    return {"time": time, "volume": volume} | ends


def forming(dice: random.Random, bars: list[Bar]) -> list[dict[str, Any]]:
    """Return the moments of the bars' making: each forms through several, some are looked at."""
    moments: list[dict[str, Any]] = []
    for count, bar in enumerate(bars, 1):
        for share in sorted(dice.random() for _ in range(2)):
            prices = [bar["open"], bar["open"] + share * (bar["close"] - bar["open"])]
            half = _bar(int(bar["time"]), prices, share * bar["volume"])
            moments.append({"count": count, "last": half, "isTold": dice.random() < 0.02})
        moments.append({"count": count, "last": bar, "isTold": count == len(bars)})
    return moments


@pytest.mark.parametrize("price", [2_431.18, 98_412.5, 0.00000123])
def test_indicators_agree_with_a_published_reference(price: float) -> None:
    """To 1e-9 of the price, on closed bars and at random moments of bars that form."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node; make test brings one")
    dice = random.Random(price)
    bars = walk(dice, 400, price)
    moments = forming(dice, bars)
    choices = [{"kind": kind, "values": values} for kind, values in REFERENCES]
    question = json.dumps({"choices": choices, "bars": bars, "moments": moments})
    answer = subprocess.run(
        [node, SCRIPT], input=question, capture_output=True, check=True, text=True
    )
    told = [moment for moment in moments if moment["isTold"]]
    assert len(told) > 5
    for name, shown in zip(REFERENCES, json.loads(answer.stdout), strict=True):
        scale = 100.0 if name[0] == "rsi" else price
        for moment, values in zip(told, shown, strict=True):
            at_hand = [*bars[: moment["count"] - 1], moment["last"]]
            assert_equal(name, REFERENCES[name](at_hand), values, 1e-9 * scale)


def assert_equal(name: Any, theirs: Values, ours: Values, tolerance: float) -> None:
    expected, actual = flat(theirs), flat(ours)
    assert len(expected) == len(actual), name
    assert actual == pytest.approx(expected, abs=tolerance, rel=0, nan_ok=True), name


def flat(values: Values) -> list[float]:
    return [math.nan if value is None else value for row in values for value in row]
