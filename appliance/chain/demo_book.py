"""The demo's traders: a path's bare trades become positions, and these `vamm` logs.

Each trade is two logs in one transaction, as the real contract writes them: BondingCurveUpdated
with the price after the trade, then the position's own event. A block is one second and its
number is that second: a trade's place on the chain then follows from its time alone, so that no
counter must survive a restart and blocks never run backwards.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from appliance.chain.demo_market import MARKETS, DemoMarket
from appliance.chain.demo_path import Path
from appliance.chain.log import Log
from appliance.chain.preset import built_in
from appliance.model import LOG_INDEX_BITS

_LIQUIDATE, _CLOSE, _INCREASE = 0.025, 0.47, 0.58  # cumulative chances, given a fit position
_TRADERS: Final = 400
_CANDIDATES: Final = 5
_MODULUS: Final = 2**256
_KEEPER: Final = f"{0xDE30 << 144 | 0xFFFF:064x}"
TOPICS: Final = {e.event.name: topic for topic, e in built_in("vamm").events.items()}


@dataclass(slots=True)
class Position:
    """An open position; `entry` in ticks, `owner` one of the traders.

    `notional` is what the contract keeps as its size: dollars as they were when it was opened.
    """

    id: int
    owner: int
    lots: int
    entry: int
    leverage: int
    notional: int


class Due(NamedTuple):
    """A log and the moment (unix seconds) from which it exists."""

    time: float
    log: Log


@dataclass(slots=True)
class _Trade:
    """One trade of a path, by value."""

    number: int
    market: DemoMarket
    second: int
    before: int
    after: int
    buy: bool
    lots: int
    dice: Sequence[float]


@dataclass(slots=True)
class Book:
    """Open positions per market, long and short. `closed`: (contract, id) since it was emptied."""

    long: list[list[Position]] = field(default_factory=lambda: [[] for _ in MARKETS])
    short: list[list[Position]] = field(default_factory=lambda: [[] for _ in MARKETS])
    closed: list[tuple[str, str]] = field(default_factory=list)

    def logs(self, paths: Sequence[Path], span: tuple[int, int]) -> Iterator[Due]:
        """Yield the logs of the span's trades and hours' funding, in the order of the chain."""
        hours = list(range(-(-span[0] // 3_600) * 3_600, span[1], 3_600))[::-1]
        block, index = -1, 0
        for moment, trade, tag in _merged(paths):
            while hours and hours[-1] <= trade.second:
                block, index = hours[-1], len(MARKETS)
                yield from _funding(hours.pop())
            if trade.second != block:
                block, index = trade.second, 0
            for name, topics, words in self._events(trade, index + 1):
                data = "0x" + "".join([f"{word % _MODULUS:064x}" for word in words])
                topic = [TOPICS[name], *topics]
                log = Log(block, block * 10**6, tag, index, trade.market.address, topic, data)
                yield Due(moment, log)
                index += 1
        for hour in reversed(hours):
            yield from _funding(hour)

    def _events(self, trade: _Trade, index: int) -> list[tuple[str, list[str], list[int]]]:
        """Return the two events of a trade; the second has log index `index`."""
        unit = trade.market.tick_unit
        change = abs(trade.after - trade.before) * unit
        curve = [trade.after * unit, 10**24 + trade.second * 10**15, change]
        return [("BondingCurveUpdated", [], curve), self._position(trade, index)]

    def _position(self, trade: _Trade, index: int) -> tuple[str, list[str], list[int]]:
        own, other = self.long[trade.number], self.short[trade.number]
        if not trade.buy:
            own, other = other, own
        choice, pick, taste = trade.dice
        if choice < _CLOSE and other:
            if choice < _LIQUIDATE:
                return self._liquidated(trade, other, pick)
            return self._ended(trade, _taken(other, int(pick * len(other))))
        if _CLOSE <= choice < _INCREASE and own:
            return _increased(trade, own[int(pick * len(own))])
        notional = trade.lots * trade.before * trade.market.unit
        position = Position(
            (trade.second << LOG_INDEX_BITS) | index,
            int(_TRADERS * pick**3),
            trade.lots,
            trade.before,
            1 + int((trade.market.max_leverage - 1) * taste**3),
            notional,
        )
        own.append(position)
        price = trade.before * trade.market.tick_unit
        facts = [int(trade.buy), notional, price, position.leverage, _fee(trade, notional)]
        return "PositionOpened", _topics(position), facts

    def _ended(self, trade: _Trade, position: Position) -> tuple[str, list[str], list[int]]:
        market = trade.market
        self.closed.append((market.address, str(position.id)))
        notional = position.notional
        gain = (trade.before - position.entry) * position.lots * market.unit
        price, fee = trade.before * market.tick_unit, _fee(trade, notional)
        facts = [notional, price, gain if not trade.buy else -gain, fee]
        return "PositionClosed", _topics(position), facts

    def _liquidated(
        self, trade: _Trade, positions: list[Position], pick: float
    ) -> tuple[str, list[str], list[int]]:
        """Return the liquidation of whichever of a few positions has lost most of its stake."""
        first = int(pick * len(positions))
        near = range(first, min(first + _CANDIDATES, len(positions)))
        direction = -1 if trade.buy else 1  # a buy ends shorts
        worst = min(near, key=lambda i: _return(positions[i], trade.before, direction))
        position, market = _taken(positions, worst), trade.market
        self.closed.append((market.address, str(position.id)))
        notional = position.notional
        facts = [notional, trade.after * market.tick_unit, _fee(trade, notional)]
        return "PositionLiquidated", [*_topics(position), "0x" + _KEEPER], facts


def _increased(trade: _Trade, position: Position) -> tuple[str, list[str], list[int]]:
    market = trade.market
    lots = position.lots + trade.lots
    position.entry = (position.entry * position.lots + trade.before * trade.lots) // lots
    position.lots = lots
    added = trade.lots * trade.after * market.unit
    position.notional += added
    facts = [added, position.notional, position.entry * market.tick_unit, _fee(trade, added)]
    return "PositionIncreased", _topics(position), facts


def _merged(paths: Sequence[Path]) -> Iterator[tuple[float, _Trade, str]]:
    """Yield (moment, trade, transaction hash) of all paths by moment."""
    second = np.concatenate([p.second for p in paths])
    moment = second + np.concatenate([p.phase for p in paths])
    columns = [
        np.repeat([p.market for p in paths], [len(p.second) for p in paths]),
        second,
        *(np.concatenate([getattr(p, k) for p in paths]) for k in ("before", "after")),
        *(np.concatenate([getattr(p, k) for p in paths]) for k in ("buy", "lots", "dice", "tag")),
    ]
    order = np.lexsort((moment, second))
    *lists, tags = [column[order] for column in columns]
    text = tags.tobytes().hex()
    rows = zip(moment[order].tolist(), *(column.tolist() for column in lists), strict=True)
    for row, (at, number, block, before, after, buy, lots, dice) in enumerate(rows):
        trade = _Trade(number, MARKETS[number], block, before, after, buy, lots, dice)
        yield at, trade, "0x" + text[64 * row : 64 * row + 64]


def _funding(second: int) -> Iterator[Due]:
    """Yield the hour's funding of every market: up to two basis points, either way."""
    hour = second // 3_600
    for number, market in enumerate(MARKETS):
        rate = int(np.random.default_rng([number, hour]).normal(4_000, 6_000))  # 1e8 = 100 %
        words = [rate, hour, rate * 24]
        data = "0x" + "".join([f"{word % _MODULUS:064x}" for word in words])
        tag = f"0x{(hour << 8) | number:064x}"
        topics = [TOPICS["FundingUpdated"]]
        log = Log(second, second * 10**6, tag, number, market.address, topics, data)
        yield Due(float(second), log)


def _taken(positions: list[Position], index: int) -> Position:
    """Remove a position; the last one takes its place."""
    positions[index], positions[-1] = positions[-1], positions[index]
    return positions.pop()


def _return(position: Position, tick: int, direction: int) -> int:
    """Return what a position has gained or lost of its stake, in 1/1,000,000."""
    moved = (tick - position.entry) * direction
    return moved * position.leverage * 1_000_000 // position.entry


def _topics(position: Position) -> list[str]:
    owner = 0xDE30_0001 << 128 | (position.owner * 0x9E37_79B9_7F4A_7C15) % 2**64
    return [f"0x{owner:064x}", f"0x{position.id:064x}"]


def _fee(trade: _Trade, notional: int) -> int:
    return notional * trade.market.fee // 10_000
