"""The vocabulary: markets, trades as columns, candles as columns.

Trades move as Arrow tables of `TRADE_SCHEMA`, never one object each: ten thousand objects cost
more to build than to store. Dataclasses are for edges.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, NewType

import pyarrow as pa

MarketId = NewType("MarketId", int)
Order = Literal["chain", "time"]
PriceRule = Literal["execution", "after"]
Reason = Literal["reorg", "late_trade", "import", "repair"]
"""Why candles that were known already changed."""

DECIMALS: Final = 18
"""Digits after the point of every stored volume."""
UNIT: Final = 10**DECIMALS
VOLUME: Final = pa.decimal128(38, DECIMALS)
VOLUME_LIMIT: Final = 10**38
"""Scaled volumes must stay below this: Decimal(38, 18) holds no more."""
LOG_INDEX_BITS: Final = 20
"""sequence = block × 2^20 + log index: 2^44 blocks, a million logs in each."""
SIDES: Final = ("", "buy", "sell")
KINDS: Final = ("trade", "mark", "increase", "liquidation", "open", "close")

TRADE_SCHEMA: Final = pa.schema(
    [
        pa.field("market_id", pa.uint32(), nullable=False),
        pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("sequence", pa.uint64(), nullable=False),
        pa.field("tie", pa.uint64(), nullable=False),
        pa.field("price", pa.float64()),
        pa.field("execution_price", pa.float64()),
        pa.field("mark_price", pa.float64()),
        pa.field("base_volume", VOLUME, nullable=False),
        pa.field("quote_volume", VOLUME, nullable=False),
        pa.field("fee", VOLUME, nullable=False),
        pa.field("pnl", VOLUME, nullable=False),
        pa.field("side", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("leverage", pa.float32(), nullable=False),
        pa.field("trader", pa.string(), nullable=False),
        pa.field("position_id", pa.string(), nullable=False),
        pa.field("chain_id", pa.uint64(), nullable=False),
        pa.field("block_number", pa.uint64(), nullable=False),
        pa.field("log_index", pa.uint32(), nullable=False),
        pa.field("transaction_hash", pa.string(), nullable=False),
        pa.field("trade_id", pa.string(), nullable=False),
        pa.field("raw_price", pa.binary(32), nullable=False),
        pa.field("raw_size", pa.binary(32), nullable=False),
    ]
)
"""One row per trade, the columns of table `trades`. `price` is the one that the market's rule
chooses for candles; null adds volume only. `base_volume` … `pnl` are exact, 18 digits after the
point. `side` is of SIDES, `kind` of KINDS; rows of kind `mark` move prices but are not trades.
`raw_price` and `raw_size` are unsigned 256-bit little-endian integers as emitted, 0 when none."""


@dataclass(frozen=True, slots=True)
class MarketSpec:
    """What a source knows of a market before it is stored.

    A market on a chain is known by (chain_id, contract), any other by its symbol. `pool_fee` tells
    pools of one pair apart, in 1/1,000,000. `order` says how its trades are ordered: `chain` by
    (block, log index), `time` by microsecond and id.
    """

    symbol: str
    name: str = ""
    exchange: str = "APPLIANCE"
    chain_id: int = 0
    contract: str = ""
    base: str = ""
    quote: str = ""
    pool_fee: int = 0
    order: Order = "time"
    price_rule: PriceRule = "execution"
    price_decimals: int | None = None
    tier: int | None = None


@dataclass(frozen=True, slots=True)
class Market:
    """A stored market. Symbols and ids never change; `price_decimals` may grow finer."""

    id: MarketId
    spec: MarketSpec
    status: str = "active"
    raw_complete_from: int = 0

    @property
    def symbol(self) -> str:
        """Return the canonical symbol, like `WETH/USDC`."""
        return self.spec.symbol

    @property
    def plain_symbol(self) -> str:
        """Return the symbol without punctuation, as Binance-shaped answers spell it."""
        return plain(self.spec.symbol)

    def with_price_decimals(self, price_decimals: int) -> "Market":
        """Return this market with another number of price digits."""
        return replace(self, spec=replace(self.spec, price_decimals=price_decimals))


def plain(symbol: str) -> str:
    """Return `symbol` with letters and digits only, in upper case."""
    return "".join(c for c in symbol.upper() if c.isalnum())


@dataclass(frozen=True, slots=True)
class Candles:
    """Candles of one market and interval as columns, ascending by time.

    `time` is the bucket's start in unix seconds; volumes are floats, as answers carry them.
    """

    time: list[int] = field(default_factory=list)
    open: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    close: list[float] = field(default_factory=list)
    volume: list[float] = field(default_factory=list)
    quote_volume: list[float] = field(default_factory=list)
    buy_volume: list[float] = field(default_factory=list)
    buy_quote_volume: list[float] = field(default_factory=list)
    trades: list[int] = field(default_factory=list)
    first_sequence: list[int] = field(default_factory=list)
    last_sequence: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        """Return the number of candles."""
        return len(self.time)


@dataclass(frozen=True, slots=True)
class Mark:
    """An event worth showing on a chart that is no trade: `kind` funding, `value` its rate.

    `market` is an index into the specs that come with it; once stored, the market's id.
    """

    market: int
    time_us: int
    sequence: int
    kind: str
    value: float
    label: str = ""
    chain_id: int = 0
    block_number: int = 0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A fact that a source remembers: it replaces the one of the same kind and key."""

    kind: str
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Attached:
    """What is stored in one step with trades: after a kill all of it is there, or nothing.

    Marks of a market without any trade are left out: there is no chart to show them on.
    """

    marks: tuple[Mark, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()

    def __bool__(self) -> bool:
        """Return whether there is anything."""
        return bool(self.marks or self.checkpoints)


NOTHING: Final = Attached()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch: how many trades are new, how many were stored before."""

    accepted: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class Revision:
    """Candles of a market that changed below its newest trades: unix seconds, both inside."""

    market_id: int
    first: int
    last: int
    reason: Reason = "reorg"


@dataclass(frozen=True, slots=True)
class Commit:
    """What just became durable, in the order of commits.

    `trades` are new rows with real market ids, `markets` those they belong to. `revisions` name
    what was taken away or rebuilt, and must be read again. `bulk` trades are history that is
    filled in (an import), too much of it to be told bar by bar.
    """

    number: int
    trades: pa.Table
    markets: tuple[Market, ...]
    revisions: tuple[Revision, ...] = ()
    bulk: bool = False


def scaled(values: Iterable[int]) -> pa.Array:
    """Return integers counted in 10^-18 as an Arrow array of Decimal(38, 18), exactly."""
    data = b"".join(value.to_bytes(16, "little", signed=True) for value in values)
    return pa.Array.from_buffers(VOLUME, len(data) // 16, [None, pa.py_buffer(data)])


def wide(values: Iterable[int]) -> pa.Array:
    """Return unsigned 256-bit integers as the little-endian bytes the engine takes."""
    data = b"".join(value.to_bytes(32, "little") for value in values)
    return pa.Array.from_buffers(pa.binary(32), len(data) // 32, [None, pa.py_buffer(data)])


def trade_table(rows: int, **columns: pa.Array | Sequence[object]) -> pa.Table:
    """Return a table of TRADE_SCHEMA from the given columns; the others are empty or zero."""
    arrays = [
        _column(columns[f.name], f) if f.name in columns else _empty(f, rows) for f in TRADE_SCHEMA
    ]
    return pa.Table.from_arrays(arrays, schema=TRADE_SCHEMA)


def _column(values: pa.Array | Sequence[object], f: pa.Field) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values, f.type)


def _empty(f: pa.Field, rows: int) -> pa.Array:
    if f.nullable:
        return pa.nulls(rows, f.type)
    if f.type in (VOLUME, pa.binary(32)):
        zeros = pa.py_buffer(bytes(rows * f.type.byte_width))
        return pa.Array.from_buffers(f.type, rows, [None, zeros])
    return pa.repeat(pa.scalar("" if f.type == pa.string() else 0, f.type), rows)
