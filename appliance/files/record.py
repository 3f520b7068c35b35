"""A trade as its writer spells it, and what conversion must be told about the rest."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from appliance.model import MarketSpec


class Trade(msgspec.Struct, gc=False):
    """One trade as written by a caller; decode it with msgspec, which keeps numbers exact."""

    symbol: str
    time: int | float | str
    price: Decimal
    size: Decimal | None = None
    amount: Decimal | None = None
    quantity: Decimal | None = None
    side: str | None = None
    id: str | int | None = None
    block_number: int | None = None
    log_index: int | None = None
    transaction_hash: str | None = None
    kind: str | None = None
    fee: Decimal | None = None
    trader: str | None = None


@dataclass(frozen=True, slots=True)
class Intake:
    """What conversion must be told.

    `markets` maps symbols as callers spell them to the markets they name; a symbol that is not
    there makes a new market. `arrival` numbers the trades that have no id. `where` says how to
    call the trade at an index, like `trades[3]` or `line 4`. `latest_us` is the newest time
    allowed for trades without chain coordinates.
    """

    markets: Mapping[str, MarketSpec]
    latest_us: int
    arrival: Iterator[int]
    where: Callable[[int], str] = "trades[{}]".format
