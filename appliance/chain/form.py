"""Forms: the closed set of ways in which a preset says what an event's arguments mean.

A number          { argument = "size", scale = 18 }               value / 10^scale
                  { argument = ["in", "-out"], scale = "token0" } a sum; the scale of the market
A price           a number
                  { sqrt_x96 = "sqrtPriceX96" }       (x / 2^96)² · 10^(decimals0 − decimals1)
                  { quote = <number>, base = <number> }           |quote / base|, none if one is 0
                  "volumes"                           |quote / base| of the event's own volumes
                  "remembered"                        the contract's newest mark price
A side            { flag = "isLong", long = "buy" }   a bool; remembered under `position`
                  { sign = "-amount0" }               a sum: above 0 buys, below 0 sells
                  { position = "positionId", long = "sell" }      what the open said of the position

`base` and `quote` are the event's volumes. A lone `base` gives quote = base × price, a lone
`quote` gives base = quote / price; the price is the event's `execution`, else its `after`, else
the contract's newest mark.

An event's `kind` is its role:
trade, open, close, increase, liquidation         a row with volume
mark              a row with a price only, remembered until the next
sync              a price that is no row, remembered for the rest of its block
funding           a mark on the chart; `value` is the rate
market            of a factory: makes a market, `contract` or (inside one contract) `key`
status            of a factory: switches market `id` or `key` as `active` says
"""

from typing import Literal

import msgspec

from appliance.model import PriceRule

TradeSide = Literal["buy", "sell"]
Scale = int | Literal["token0", "token1"]
Terms = list[tuple[str, int]]
"""Argument names with 1 or −1 for each."""
Kind = Literal[
    "trade",
    "open",
    "close",
    "increase",
    "liquidation",
    "mark",
    "sync",
    "funding",
    "market",
    "status",
]


class Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Anything read from a preset; an unknown key is an error."""


class Number(Form, frozen=True):
    """The sum of arguments (a leading `-` subtracts), divided by 10^scale."""

    argument: str | list[str]
    scale: Scale

    @property
    def terms(self) -> Terms:
        """Return its terms."""
        return _terms(self.argument)


class Price(Form, frozen=True):
    """Exactly one of: argument with scale, sqrt_x96, quote with base."""

    argument: str | None = None
    scale: int | None = None
    sqrt_x96: str | None = None
    quote: Number | None = None
    base: Number | None = None

    @property
    def form(self) -> str:
        """Return which form it is, empty when the keys fit none."""
        keys = {name for name in self.__struct_fields__ if getattr(self, name) is not None}
        forms = {"argument": {"argument", "scale"}, "sqrt_x96": {"sqrt_x96"}}
        forms["ratio"] = {"quote", "base"}
        return next((name for name, wanted in forms.items() if wanted == keys), "")

    @property
    def word(self) -> str:
        """Return the one argument that it is made of, empty for a ratio."""
        return self.argument or self.sqrt_x96 or ""

    @property
    def arguments(self) -> list[str]:
        """Return the names of the arguments it needs."""
        named = [self.argument, self.sqrt_x96]
        numbers = [number for number in (self.quote, self.base) if number is not None]
        return [n for n in named if n] + [name for q in numbers for name, _ in q.terms]


class Side(Form, frozen=True):
    """Exactly one of flag, sign, position; `long` is the side of a true flag or a long one."""

    flag: str | None = None
    sign: str | list[str] | None = None
    position: str | None = None
    long: TradeSide | None = None

    @property
    def terms(self) -> Terms:
        """Return the terms of the sum whose sign decides."""
        return _terms(self.sign) if self.sign is not None else []


class EventForm(Form, frozen=True):
    """One event of a preset: `kind` is its role, everything else says what it holds.

    Rows: `market` is the argument that names the market inside a shared contract, `skip_zero`
    one whose zero means that nothing was traded, `liquidated` one that is zero unless the trade
    is a liquidation. Factories: `id` is the factory's own name of a market, `registry` says that
    keys belong to other contracts than the one that emits them.
    """

    signature: str
    topic0: str
    kind: Kind
    execution: Price | Literal["volumes", "remembered"] | None = None
    after: Price | Literal["volumes", "remembered"] | None = None
    base: Number | None = None
    quote: Number | None = None
    fee: Number | None = None
    pnl: Number | None = None
    leverage: Number | None = None
    value: Number | None = None
    side: Side | None = None
    position: str | None = None
    trader: str | None = None
    market: str | None = None
    skip_zero: str | None = None
    liquidated: str | None = None
    contract: str | None = None
    key: str | None = None
    id: str | None = None
    symbol: str | None = None
    name: str | None = None
    token0: str | None = None
    token1: str | None = None
    pool_fee: str | None = None
    active: str | None = None
    registry: bool = False


class PresetForm(Form, frozen=True):
    """A whole file.

    `tokens` says where a market's tokens are: "pair", the contract answers token0() and
    token1(); "key", the market's key is the address of its base token. `symbol_call` is a view
    like "baseAsset()" that answers the market's symbol, asked of the contract or, where markets
    have keys, of the address that is the key. `quote` is what prices are in when no token says.
    """

    name: str
    price_rule: PriceRule
    event: list[EventForm]
    tokens: Literal["", "pair", "key"] = ""
    symbol_call: str = ""
    quote: str = ""


def _terms(argument: str | list[str]) -> Terms:
    names = [argument] if isinstance(argument, str) else argument
    return [(name.removeprefix("-"), -1 if name.startswith("-") else 1) for name in names]
