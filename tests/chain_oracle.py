"""The vAMM of EVENTS.md in plain Python: what a chain's markets, trades and candles must be.

Reads all logs of a chain that stands still, by plain eth_getLogs, and decodes them word by word;
shares no code with the product. Amounts are integers counted in 10^-18; candles come from
tests/oracle.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

from eth_abi.abi import decode

from appliance.interval import Interval
from tests.anvil import Anvil
from tests.oracle import C, T, candles

OPENED: Final = "0x345a1e15bff227bfd5051975d95c864c45cf9fe79def6f9ce1c1525b0e831226"
CLOSED: Final = "0x035509dd26c2d331b2eeaf713e533967ac9e8a0c5e37372abc7dedd026e81675"
INCREASED: Final = "0x2337e687da16f7f70de054ec6c6f96c9faaeac16ca3fe6b873cf017380f578a8"
LIQUIDATED: Final = "0xeb125fc2316e55999aaacc483aa145655b8032d8bce094f8a17174ed9994d9d7"
FUNDING: Final = "0xd0794ac40e87e336e6e652e1eef2cdb3793d91f30dcc09a45d18db669a686b94"
CURVE: Final = "0x1551b5180ce27b1b0d183046bbf7f4ed792368fa907dcaa0e08d22c5e8b14512"
MARKET_CREATED: Final = "0x47ab7633006b3b6d4ecfa77b1c64dac99d985e2ec70de8fe50aeeded29c95742"
OLDER_MARKET_CREATED: Final = "0xc225f66bd854bba265bee08fc100e91c698aa86a9e70b0d9280d44f91066a93f"
STATUS: Final = "0xf74802a5f03ef3b60653fc5ef30996c42340c6f63ad2a625f0f7d4f996b28f35"

UNIT: Final = 10**18
Rule = Literal["after", "execution"]


@dataclass
class ExpectedMarket:
    """A market that the factory announced, and what its contract said since."""

    address: str
    symbol: str
    market_id: str
    created: tuple[int, int]
    """Block and log index."""
    active: bool = True
    mark: int = 0
    """The newest mark price; 0 before the first."""
    long: dict[str, bool] = field(default_factory=dict)
    """Side by position id."""


@dataclass(frozen=True)
class Row:
    """One row of the trades table; prices and amounts in 10^-18."""

    market: str
    block_number: int
    log_index: int
    time: int
    transaction_hash: str
    kind: str
    side: str = ""
    execution: int | None = None
    mark: int | None = None
    base: int = 0
    quote: int = 0
    fee: int = 0
    pnl: int = 0
    leverage: int = 0
    trader: str = ""
    position_id: str = ""

    def price(self, rule: Rule) -> float | None:
        """Return what candles are made of under the rule, None for volume only."""
        chosen = self.mark if rule == "after" else self.execution
        return None if chosen is None else chosen / UNIT


@dataclass(frozen=True)
class Rate:
    """A funding rate."""

    market: str
    block_number: int
    log_index: int
    time: int
    rate: float


@dataclass
class Expected:
    """Everything that a chain holds; `rows` and `rates` in its order, `markets` by address."""

    head: int
    head_hash: str
    markets: dict[str, ExpectedMarket] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    rates: list[Rate] = field(default_factory=list)

    def symbol(self, name: str) -> ExpectedMarket:
        """Return the market that the factory called so."""
        return next(market for market in self.markets.values() if market.symbol == name)

    def of(self, market: str) -> list[Row]:
        """Return the rows of one market."""
        return [row for row in self.rows if row.market == market]

    def candles(self, market: str, interval: Interval, rule: Rule = "after") -> list[C]:
        """Return one market's candles, ascending."""
        return candles([_trade(row, row.base, rule) for row in self.of(market)], interval)

    def quote_volumes(self, market: str, interval: Interval) -> list[tuple[Decimal, Decimal]]:
        """Return quote volume and what of it was bought, for each candle."""
        trades = [_trade(row, row.quote, "after") for row in self.of(market)]
        return [(c.volume, c.buy_volume) for c in candles(trades, interval)]


def _trade(row: Row, size: int, rule: Rule) -> T:
    return T(
        row.time * 1_000_000,
        row.price(rule),
        size,
        side=row.side,
        block=row.block_number,
        log_index=row.log_index,
        kind=row.kind,
    )


def read(node: Anvil, factories: Sequence[str] = (), contracts: Sequence[str] = ()) -> Expected:
    """Return what the chain holds of the factories' markets and of the contracts given.

    Raises:
        RuntimeError: the chain moved meanwhile.
    """
    head = node.block()
    expected = Expected(int(head["number"], 16), str(head["hash"]))
    for address in contracts:
        expected.markets[address] = ExpectedMarket(address, "", "", (0, 0))
    for log in _logs(node, expected.head):
        if log.address in factories:
            _hear_factory(expected, log)
        elif log.address in expected.markets:
            _hear_market(expected, log)
    if node.block()["hash"] != expected.head_hash:
        raise RuntimeError("the chain must stand still while it is read")
    return expected


@dataclass(frozen=True)
class _Log:
    """A log with its data cut into words."""

    address: str
    topics: list[str]
    data: bytes
    at: tuple[int, int]
    time: int
    transaction_hash: str

    def word(self, number: int, *, signed: bool = False) -> int:
        """Return the n-th word of the data."""
        return int.from_bytes(self.data[32 * number : 32 * number + 32], "big", signed=signed)


def _logs(node: Anvil, head: int) -> Iterator[_Log]:
    """Yield every log of the chain, in its order; times are those of the blocks' headers."""
    for first in range(0, head + 1, 50):
        span = {"fromBlock": hex(first), "toBlock": hex(min(first + 49, head))}
        found: list[dict[str, Any]] = node.call("eth_getLogs", span)
        times = {number: int(node.block(number)["timestamp"], 16) for number in _blocks(found)}
        for log in sorted(found, key=_place):
            place = _place(log)
            data = bytes.fromhex(log["data"][2:])
            address = log["address"].lower()
            yield _Log(address, log["topics"], data, place, times[place[0]], log["transactionHash"])


def _place(log: dict[str, Any]) -> tuple[int, int]:
    return int(log["blockNumber"], 16), int(log["logIndex"], 16)


def _blocks(logs: list[dict[str, Any]]) -> set[int]:
    return {_place(log)[0] for log in logs}


def _address(topic: str) -> str:
    return "0x" + topic[-40:]


def _hear_factory(expected: Expected, log: _Log) -> None:
    topic = log.topics[0]
    if topic in {MARKET_CREATED, OLDER_MARKET_CREATED}:
        address = _address(log.topics[2])
        (symbol,) = decode(["string"], log.data)
        expected.markets[address] = ExpectedMarket(address, symbol, log.topics[1], log.at)
    elif topic == STATUS:
        for market in expected.markets.values():
            if market.market_id == log.topics[1]:
                market.active = bool(log.word(0))


def _hear_market(expected: Expected, log: _Log) -> None:
    topic = log.topics[0] if log.topics else ""
    market = expected.markets[log.address]
    if topic == FUNDING:
        rate = log.word(0, signed=True) / 10**8
        expected.rates.append(Rate(market.address, *log.at, log.time, rate))
    elif topic == CURVE:
        market.mark = log.word(0)
        expected.rows.append(_row(log, "mark", mark=market.mark))
    elif topic in _KINDS:
        expected.rows.append(_KINDS[topic](market, log))


def _row(log: _Log, kind: str, **facts: Any) -> Row:
    return Row(log.address, *log.at, log.time, log.transaction_hash, kind, **facts)


def _position(market: ExpectedMarket, log: _Log, side_of_long: str) -> dict[str, str]:
    """Return what every position event has; a position never seen opening has no side."""
    position = str(int(log.topics[2], 16))
    other = {"buy": "sell", "sell": "buy"}[side_of_long]
    long = market.long.get(position)
    side = "" if long is None else side_of_long if long else other
    return {"trader": _address(log.topics[1]), "position_id": position, "side": side}


def _opened(market: ExpectedMarket, log: _Log) -> Row:
    long, size, price, leverage, fee = (log.word(number) for number in range(5))
    market.long[str(int(log.topics[2], 16))] = bool(long)
    amounts = {"execution": price, "base": size * UNIT // price, "quote": size, "fee": fee}
    return _row(log, "open", **amounts, leverage=leverage, **_position(market, log, "buy"))


def _closed(market: ExpectedMarket, log: _Log) -> Row:
    size, price, fee = log.word(0), log.word(1), log.word(3)
    amounts = {"execution": price, "base": size * UNIT // price, "quote": size, "fee": fee}
    pnl = log.word(2, signed=True)
    return _row(log, "close", **amounts, pnl=pnl, **_position(market, log, "sell"))


def _increased(market: ExpectedMarket, log: _Log) -> Row:
    """An increase tells an average price, which is none: its base volume is at the mark."""
    size, fee = log.word(0), log.word(3)
    amounts = {"base": size * UNIT // market.mark, "quote": size, "fee": fee}
    return _row(log, "increase", **amounts, **_position(market, log, "buy"))


def _liquidated(market: ExpectedMarket, log: _Log) -> Row:
    size, price, fee = (log.word(number) for number in range(3))
    market.mark = price
    amounts = {"base": size * UNIT // price, "quote": size, "fee": fee}
    position = _position(market, log, "sell")
    return _row(log, "liquidation", execution=price, mark=price, **amounts, **position)


_KINDS: Final = {
    OPENED: _opened,
    CLOSED: _closed,
    INCREASED: _increased,
    LIQUIDATED: _liquidated,
}
