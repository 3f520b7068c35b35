"""Give the markets of submissions their ids, making those that are new.

Nothing is stored before the whole commit is known to be good: `changed` lists what to store.
"""

import math
import time
from dataclasses import replace
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from clickhouse_connect.driver.client import Client

from appliance.errors import BadRequest
from appliance.model import Market, MarketId, MarketSpec, Order, PriceRule
from appliance.store.catalogue import ACTIVE, Catalogue
from appliance.store.reader import select

EMPTY: Final = "empty"
"""Of a market whose trades were all retracted: it is not shown until one arrives again."""
_DIGITS: Final = 6
"""Significant digits shown of a price whose source does not say how many it has."""
_DECIMALS_MAX: Final = 18
_COLUMNS: Final = (
    *("market_id", "symbol", "name", "exchange", "chain_id", "contract", "base", "quote"),
    *("trade_order", "price_rule", "price_decimals", "tier", "status", "icon"),
    *("raw_complete_from", "version"),
)


class Enrolment:
    """The markets of one commit."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Plan on top of `catalogue`, without changing it."""
        self._catalogue = catalogue
        self._seen: dict[MarketSpec, Market] = {}
        self._changed: dict[int, Market] = {}
        self._plan = Catalogue()  # the changed ones, to be found

    @property
    def changed(self) -> list[Market]:
        """Return the markets to store: new ones, and those with a finer price."""
        return list(self._changed.values())

    @property
    def markets(self) -> tuple[Market, ...]:
        """Return all markets of the commit, as they will be."""
        by_id = {m.id: m for m in self._seen.values()} | self._changed
        return tuple(by_id.values())

    def renumber(self, trades: pa.Table, specs: tuple[MarketSpec, ...]) -> pa.Table:
        """Return `trades` with real market ids in place of indexes into `specs`.

        Raises:
            BadRequest: a market's trades come in the other order than its stored ones.
        """
        index = trades["market_id"].to_numpy()
        ids = np.zeros(max(1, len(specs)), dtype=np.uint32)
        for i in np.unique(index).tolist():
            spec = specs[i]
            ids[i] = self._market(spec, trades, i).id
        column = pa.array(ids[index], pa.uint32())
        return trades.set_column(0, trades.schema.field(0), column)

    def known(self, spec: MarketSpec) -> MarketId | None:
        """Return the id of a market that is stored, or will be with this commit."""
        market = self._seen.get(spec) or self._planned(spec) or self._catalogue.find(spec)
        return market.id if market else None

    def _market(self, spec: MarketSpec, trades: pa.Table, index: int) -> Market:
        market = self._seen.get(spec)
        if market is None:
            market = self._planned(spec) or self._catalogue.find(spec)
            if market is None:
                market = self._new(spec, trades, index)
            self._seen[spec] = market
        if market.spec.order != spec.order:
            raise BadRequest(
                f"trades of {market.symbol} must {_ORDER_WORDS[market.spec.order]}, as its stored "
                f"ones do; these {_ORDER_WORDS[spec.order]}",
                "block_number",
            )
        return self._refined(market, spec)

    def _planned(self, spec: MarketSpec) -> Market | None:
        return self._plan.find(spec)

    def _new(self, spec: MarketSpec, trades: pa.Table, index: int) -> Market:
        if spec.price_decimals is None:
            prices = trades.filter(pc.equal(trades["market_id"], index))["price"]
            spec = replace(spec, price_decimals=price_decimals(pc.min(prices).as_py()))
        market = self._catalogue.plan(spec, self._plan)
        self._change(market)
        if demo := self._catalogue.demo_named(spec):  # a real market takes the name over
            name = f"{demo.symbol}.{demo.spec.exchange}"
            self._change(replace(demo, spec=replace(demo.spec, symbol=name)))
        return market

    def _change(self, market: Market) -> Market:
        self._changed[market.id] = market
        self._plan.put(market)
        return market

    def _refined(self, market: Market, spec: MarketSpec) -> Market:
        current = self._changed.get(market.id, market)
        if current.status == EMPTY:
            current = self._change(replace(current, status=ACTIVE))
        if (spec.price_decimals or 0) > (current.spec.price_decimals or 0):
            current = self._change(current.with_price_decimals(spec.price_decimals or 0))
        return current


_ORDER_WORDS: Final[dict[Order, str]] = {
    "chain": "have block_number and log_index",
    "time": "have no block_number and log_index",
}


def price_decimals(price: float | None) -> int:
    """Return how many digits after the point show six significant digits of `price`."""
    if price is None or price <= 0:
        return 2
    return min(_DECIMALS_MAX, max(2, _DIGITS - 1 - math.floor(math.log10(price))))


def insert_markets(client: Client, markets: list[Market]) -> None:
    """Store markets; a newer row of the same id replaces the older one."""
    if not markets:
        return
    newest = int(select(client, "select_markets_version", {})[0][0])
    version = max(newest + 1, time.time_ns() // 1000)  # the clock may have been put back
    client.insert("markets", [[*_row(m), version] for m in markets], column_names=_COLUMNS)


def _row(market: Market) -> list[object]:
    spec = market.spec
    return [
        *(market.id, spec.symbol, spec.name, spec.exchange, spec.chain_id, spec.contract),
        *(spec.base, spec.quote, spec.order, spec.price_rule, spec.price_decimals or 0),
        *(spec.tier or 0, market.status, "", market.raw_complete_from),
    ]


def load_markets(client: Client) -> list[Market]:
    """Return all stored markets."""
    return [_market(row) for row in zip(*select(client, "select_markets", {}), strict=True)]


def _market(row: tuple[object, ...]) -> Market:
    ident, symbol, name, exchange, chain_id, contract, base, quote, *rules = row
    order, price_rule, decimals, tier, status, raw_complete_from = rules
    spec = MarketSpec(
        *(str(symbol), str(name), str(exchange)),
        chain_id=int(str(chain_id)),
        contract=str(contract),
        base=str(base),
        quote=str(quote),
        order=_order(str(order)),
        price_rule=_price_rule(str(price_rule)),
        price_decimals=int(str(decimals)),
        tier=int(str(tier)) or None,
    )
    return Market(MarketId(int(str(ident))), spec, str(status), int(str(raw_complete_from)))


def _order(text: str) -> Order:
    return "chain" if text == "chain" else "time"


def _price_rule(text: str) -> PriceRule:
    return "after" if text == "after" else "execution"
