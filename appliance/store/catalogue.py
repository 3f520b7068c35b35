"""The known markets, in memory: found by symbol, address or plain form; new ones get their name.

The writer adds to it; everybody else only reads. Every look-up is one dictionary access.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from appliance.errors import BadRequest, UnknownSymbol
from appliance.model import Market, MarketId, MarketSpec, plain

DEMO_EXCHANGE: Final = "DEMO"
_LONGEST: Final = 32
_ADDRESS: Final = re.compile(r"0x[0-9a-f]{40}")


class Catalogue:
    """All markets of one store."""

    def __init__(self, markets: Iterable[Market] = (), show_demo: bool = False) -> None:
        """Start with `markets`; `show_demo` shows demo markets beside others, too."""
        self._show_demo = show_demo
        self._by_id: dict[int, Market] = {}
        self._by_name: dict[str, Market] = {}
        self._by_contract: dict[str, list[Market]] = {}
        self.load(markets)

    def load(self, markets: Iterable[Market]) -> None:
        """Add markets."""
        for market in markets:
            self.put(market)

    def put(self, market: Market) -> None:
        """Add a market, or replace the one with its id; a former name is given up."""
        former = self._by_id.get(market.id, market)
        for name in {former.symbol, former.plain_symbol}:
            if name in self._by_name and self._by_name[name].id == market.id:
                del self._by_name[name]
        self._by_id[market.id] = market
        self._by_name[market.symbol] = market
        self._by_name.setdefault(market.plain_symbol, market)
        contract = market.spec.contract.lower()
        if contract:
            others = [m for m in self._by_contract.get(contract, []) if m.id != market.id]
            self._by_contract[contract] = [*others, market]

    def get(self, market_id: int) -> Market:
        """Return the market with this id."""
        return self._by_id[market_id]

    def resolve(self, symbol: str) -> Market:
        """Return the market that `symbol` names: any case, EXCHANGE:SYMBOL, address, plain form.

        Raises:
            UnknownSymbol: no market answers to it.
            BadRequest: it is the address of several markets; the message lists them.
        """
        text = unicodedata.normalize("NFKC", symbol.strip()[:128])
        exchange, colon, rest = text.rpartition(":")
        market = self._named(rest)
        if market is None or (colon and exchange.upper() != market.spec.exchange.upper()):
            raise UnknownSymbol(symbol[:64])
        return market

    def _named(self, text: str) -> Market | None:
        if _ADDRESS.fullmatch(text.lower()):
            return self._at_address(text.lower())
        name = text.upper()
        return self._by_name.get(name) or self._by_name.get(plain(name))

    def _at_address(self, address: str) -> Market | None:
        markets = self._by_contract.get(address, [])
        if len(markets) > 1:
            symbols = ", ".join(sorted(m.symbol for m in markets))
            raise BadRequest(
                f"symbol must name one market, {address} has several: {symbols}", "symbol"
            )
        return markets[0] if markets else None

    def find(self, spec: MarketSpec) -> Market | None:
        """Return the stored market that `spec` means: by chain and contract, else by symbol."""
        if spec.contract:
            at_address = self._by_contract.get(spec.contract.lower(), [])
            same_chain = [m for m in at_address if m.spec.chain_id == spec.chain_id]
            if len(same_chain) > 1:
                return next((m for m in same_chain if m.symbol == spec.symbol), None)
            return same_chain[0] if same_chain else None
        market = self._by_name.get(spec.symbol)
        if market is None or market.symbol != spec.symbol or is_demo(market) != is_demo(spec):
            return None
        return market

    def demo_named(self, spec: MarketSpec) -> Market | None:
        """Return the demo market that has the name of `spec`, which is none: it must give way."""
        market = self._by_name.get(spec.symbol)
        if market is None or market.symbol != spec.symbol or is_demo(spec):
            return None
        return market if is_demo(market) else None

    def plan(self, spec: MarketSpec, taken: Iterable[Market] = ()) -> Market:
        """Return the market that `spec` would become, with its id and symbol, without adding it."""
        planned = list(taken)
        names = {m.symbol for m in planned} | self._by_name.keys()
        if self.demo_named(spec):
            names.discard(spec.symbol)
        market_id = max([0, *self._by_id, *(m.id for m in planned)]) + 1
        symbol = next(name for name in _candidates(spec) if name not in names)
        base, _, quote = spec.symbol.partition("/")
        return Market(
            MarketId(market_id),
            replace(
                spec,
                symbol=symbol,
                name=spec.name or spec.symbol,
                contract=spec.contract.lower(),
                base=spec.base or base,
                quote=spec.quote or quote or "USD",
                price_decimals=2 if spec.price_decimals is None else spec.price_decimals,
            ),
        )

    def all(self) -> list[Market]:
        """Return every market, by id."""
        return list(self._by_id.values())

    def visible(self) -> list[Market]:
        """Return the markets to show, by symbol: demo markets only while there are no others."""
        markets = self.all()
        real = [m for m in markets if not is_demo(m) and m.status == "active"]
        return sorted(real if real and not self._show_demo else markets, key=lambda m: m.symbol)

    def demo_only(self) -> bool:
        """Return whether no market came from anywhere but the simulator."""
        return all(is_demo(m) for m in self.all())

    def matches(self, query: str, exchange: str = "") -> list[tuple[int, Market]]:
        """Return the visible markets whose symbol, name or address holds `query`, with a rank.

        0: the query is one of them; 1: one begins with it; 2: it is a part of one.
        """
        text = query.strip().upper()
        return [
            (rank, market)
            for market in self.visible()
            if exchange.upper() in ("", market.spec.exchange.upper())
            and (rank := _rank(market, text)) is not None
        ]


def is_demo(market: Market | MarketSpec) -> bool:
    """Return whether a market is invented."""
    spec = market.spec if isinstance(market, Market) else market
    return spec.exchange == DEMO_EXCHANGE


def _rank(market: Market, text: str) -> int | None:
    """Return 0 for an exact match, 1 for a prefix, 2 for a part, None for no match."""
    names = (market.symbol, market.plain_symbol, market.spec.name.upper())
    address = market.spec.contract.upper()
    if text in names or (text and text == address):
        return 0
    if any(name.startswith(text) for name in names):
        return 1
    return 2 if any(text in name for name in (*names, address)) else None


def _candidates(spec: MarketSpec) -> Iterable[str]:
    """Yield the names to try: bare, then with the fee, the chain, six digits of the address."""
    yield spec.symbol
    digits = spec.contract.partition(":0x")[2] or spec.contract[2:]  # a key, where there is one
    endings = [str(number) for number in (spec.pool_fee, spec.chain_id) if number]
    endings += [digits[:length].upper() for length in (6, 10) if digits]
    for ending in (*endings, *map(str, range(2, 1_000_000))):
        yield f"{spec.symbol[: _LONGEST - 1 - len(ending)]}.{ending}"
