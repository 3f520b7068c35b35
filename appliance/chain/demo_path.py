"""Demo prices and sizes: when trades happen, where each takes the price, how large it is.

A path is a function of (seed, market, first second) and the price before it, so that a restart
which knows the last stored price goes on as if nothing had happened. Calm and excitement are a
function of (seed, market, second) alone: they do not jump where one path ends and the next begins.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from appliance.chain.demo_market import DemoMarket

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_DAY_S: Final = 86_400
_HALF_LIFE_S: Final = 8 * 3_600
_TIDES: Final = ((2_700, 0.55), (420, 0.35))
"""Excitement is noise with knots this many seconds apart, and this strong (in log volatility)."""
_BURST_SHAPE: Final = 0.3  # of the gamma that weighs seconds: small means rare and crowded
_STEP_FREEDOM: Final = 5  # of Student's t: fat tails, finite variance


@dataclass(frozen=True, slots=True)
class Path:
    """Trades of one market as columns, in time order.

    `second` unix seconds; `phase` [0, 1) into it; `before` and `after` the price in ticks around
    each trade; `buy`; `lots`; `dice` three numbers in [0, 1) for whatever else must be decided;
    `tag` 32 bytes of hash, `market` the market's place in the table.
    """

    market: int
    second: Ints
    phase: Floats
    before: Ints
    after: Ints
    buy: npt.NDArray[np.bool_]
    lots: Ints
    dice: Floats
    tag: npt.NDArray[np.uint8]

    @property
    def last_tick(self) -> int | None:
        """Return the price after the last trade, None when there is none."""
        return int(self.after[-1]) if len(self.after) else None


def excitement(seed: int, market: int, start: int, seconds: int) -> Floats:
    """Return the log volatility of each second, mean 0: smooth, the same wherever it is cut."""
    second = np.arange(start, start + seconds)
    total = np.zeros(seconds)
    for number, (knot_s, strength) in enumerate(_TIDES):
        first, last = start // knot_s, (start + seconds) // knot_s + 1
        keys = range(first, last + 1)
        knots = [np.random.default_rng([seed, market, number, k]).standard_normal() for k in keys]
        total += strength * np.interp(second / knot_s, np.arange(first, last + 1), knots)
    return total


def path(
    seed: int, number: int, market: DemoMarket, span: tuple[int, int], trades: int, tick: int
) -> Path:
    """Return exactly `trades` trades of market `number` in seconds [span), from price `tick`."""
    start, seconds = span[0], span[1] - span[0]
    rng = np.random.default_rng([seed, number, start])
    mood = excitement(seed, number, start, seconds)
    weight = np.exp(1.2 * mood) * rng.gamma(_BURST_SHAPE, size=seconds) + 1e-9
    counts = rng.multinomial(trades, weight / weight.sum())
    offset = np.repeat(np.arange(seconds), counts)
    after = _ticks(market, rng, mood[offset], trades / seconds, tick)
    before = np.concatenate(([tick], after[:-1])).astype(np.int64) if trades else after
    buy = np.where(after == before, rng.random(trades) < 0.5, after > before)
    buy ^= rng.random(trades) < 0.12  # someone always trades against the move
    return Path(
        number,
        start + offset,
        np.sort(rng.random(trades) + offset) - offset,
        before,
        after,
        buy,
        _lots(market, rng, mood[offset]),
        rng.random((trades, 3)),
        rng.integers(0, 256, (trades, 32), np.uint8),
    )


def _ticks(
    market: DemoMarket, rng: np.random.Generator, mood: Floats, per_second: float, tick: int
) -> Ints:
    """Return the price in ticks after each trade: random steps, drawn back to where it began.

    The walk is in basis points (of the logarithm) away from the market's price.
    """
    daily = max(per_second, 1e-9) * _DAY_S
    spread = np.sqrt(_STEP_FREEDOM / (_STEP_FREEDOM - 2))
    size = market.day_bp / np.sqrt(daily) * np.exp(mood) / spread
    steps: list[float] = (size * rng.standard_t(_STEP_FREEDOM, len(mood))).tolist()
    keep = 0.5 ** (_DAY_S / daily / _HALF_LIFE_S)
    home = market.price * 10**market.tick_digits
    away = float(np.log(tick / home)) * 1e4
    walk = []
    for step in steps:
        away = away * keep + step
        walk.append(away)
    prices = home * np.exp(np.array(walk) / 1e4)
    return np.asarray(np.maximum(1, np.rint(prices)), np.int64)


def _lots(market: DemoMarket, rng: np.random.Generator, mood: Floats) -> Ints:
    """Return heavy-tailed sizes: many small, some large, more of both when it is lively."""
    usual = np.exp(0.9 * rng.standard_normal(len(mood)) + 0.3 * mood)
    whales = np.where(rng.random(len(mood)) < 0.04, 1 + rng.pareto(2.2, len(mood)), 1.0)
    lots = market.usual_lots * usual * np.minimum(whales, 40)
    return np.asarray(np.maximum(market.smallest_lots, np.rint(lots)), np.int64)
