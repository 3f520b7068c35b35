"""The known markets, in memory: found by symbol, address or plain form; new ones get their name.

The writer adds to it; everybody else only reads. Every look-up is one dictionary access, whatever
the number of markets; what is counted of all of them is kept as they come and change. `changes`
tells whoever keeps an index of the names what it has not seen yet.
"""

import re
import threading
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from appliance.errors import BadRequest, UnknownSymbol
from appliance.model import Market, MarketId, MarketSpec, plain

DEMO_EXCHANGE: Final = "DEMO"
ACTIVE: Final = "active"
"""Status of the markets that are shown; all others are kept, and found by their exact name."""
LISTED: Final = 20
"""Most markets of one address that an error lists."""
_LONGEST: Final = 32
_ADDRESS: Final = re.compile(r"0x[0-9a-f]{40}")


class Changes(NamedTuple):
    """Markets that are new to whoever asks, then those that changed: (former, present) each.

    `position` is what to ask with next time.
    """

    new: list[Market]
    replaced: list[tuple[Market, Market]]
    position: int


class Catalogue:
    """All markets of one store."""

    def __init__(self, markets: Iterable[Market] = (), show_demo: bool = False) -> None:
        """Start with `markets`; `show_demo` shows demo markets beside others, too."""
        self._show_demo = show_demo
        self._lock = threading.Lock()  # between the writer and whoever asks for changes
        self._by_id: dict[int, Market] = {}
        self._by_name: dict[str, Market] = {}
        self._by_contract: dict[str, Market | tuple[Market, ...]] = {}
        self._demo: dict[int, None] = {}
        self._active: Counter[str] = Counter()  # by exchange
        self._ids = array("I")  # in order of appearance
        self._inactive: dict[int, None] = {}
        self._former: dict[int, Market] = {}  # as they were when they were last told as changes
        self._words: dict[str, str] = {}
        self.last_id = 0
        """The highest id."""
        self.load(markets)

    def load(self, markets: Iterable[Market]) -> None:
        """Add markets."""
        for market in markets:
            self.put(market)

    def put(self, market: Market) -> None:
        """Add a market, or replace the one with its id; a former name is given up."""
        market = self._shared(market)
        with self._lock:
            former = self._by_id.get(market.id)
            self._by_id[market.id] = market
            self._name(market, former or market)
            self._place(market)
            self._count(market, former)

    def _shared(self, market: Market) -> Market:
        """Return a market whose words are the ones that others have: they are in memory once."""
        spec = market.spec
        exchange, quote = (self._words.setdefault(w, w) for w in (spec.exchange, spec.quote))
        base = spec.symbol if spec.base == spec.symbol else spec.base
        name = spec.symbol if spec.name == spec.symbol else spec.name
        mine = (spec.exchange, spec.quote, spec.base, spec.name)
        if all(a is b for a, b in zip(mine, (exchange, quote, base, name), strict=True)):
            return market
        spec = replace(spec, exchange=exchange, quote=quote, base=base, name=name)
        return replace(market, spec=spec)

    def _name(self, market: Market, former: Market) -> None:
        if former.symbol != market.symbol:
            for name in {former.symbol, former.plain_symbol}:
                if name in self._by_name and self._by_name[name].id == market.id:
                    del self._by_name[name]
        self._by_name[market.symbol] = market
        plain_symbol = market.plain_symbol
        holder = self._by_name.get(plain_symbol)
        if holder is None or holder.id == market.id:
            self._by_name[plain_symbol] = market

    def _place(self, market: Market) -> None:
        contract = market.spec.contract
        if not contract:
            return
        if not contract.islower():
            contract = contract.lower()
        others = tuple(m for m in self._at(contract) if m.id != market.id)
        self._by_contract[contract] = (*others, market) if others else market

    def _at(self, contract: str) -> tuple[Market, ...]:
        found = self._by_contract.get(contract, ())
        return found if isinstance(found, tuple) else (found,)

    def _count(self, market: Market, former: Market | None) -> None:
        if former is None:
            self._ids.append(market.id)
            self.last_id = max(self.last_id, market.id)
        else:
            self._former.setdefault(market.id, former)
            self._active[former.spec.exchange] -= former.status == ACTIVE
            self._demo.pop(market.id, None)
            self._inactive.pop(market.id, None)
        self._active[market.spec.exchange] += market.status == ACTIVE
        if is_demo(market):
            self._demo[market.id] = None
        if market.status != ACTIVE:
            self._inactive[market.id] = None

    def __len__(self) -> int:
        """Return the number of markets, shown or not."""
        return len(self._by_id)

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
        markets = self._at(address)
        if len(markets) > 1:
            shown = sorted(m.symbol for m in markets)
            more = f" and {len(shown) - LISTED} more" if len(shown) > LISTED else ""
            raise BadRequest(
                f"symbol must name one market, {address} has several: "
                f"{', '.join(shown[:LISTED])}{more}",
                "symbol",
            )
        return markets[0] if markets else None

    def plain_name(self, market: Market) -> str:
        """Return the plain symbol, or the full one where an older market has the same plain form.

        So Binance-shaped answers and streams name a market, and no two alike.
        """
        plain_symbol = market.plain_symbol
        holder = self._by_name.get(plain_symbol)
        return plain_symbol if holder is None or holder.id == market.id else market.symbol

    def find(self, spec: MarketSpec) -> Market | None:
        """Return the stored market that `spec` means: by chain and contract, else by symbol."""
        if spec.contract:
            at_address = self._at(spec.contract.lower())
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

    def plan(self, spec: MarketSpec, taken: "Catalogue | Iterable[Market]" = ()) -> Market:
        """Return the market that `spec` would become, with its id and symbol, without adding it."""
        planned = taken if isinstance(taken, Catalogue) else Catalogue(taken)
        given_up = spec.symbol if self.demo_named(spec) else None
        symbol = next(
            name
            for name in _candidates(spec)
            if (name not in self._by_name or name == given_up) and name not in planned._by_name
        )
        base, _, quote = spec.symbol.partition("/")
        return Market(
            MarketId(max(self.last_id, planned.last_id) + 1),
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
        """Return every market, in order of appearance; this walks all of them."""
        return list(self._by_id.values())

    def visible(self) -> list[Market]:
        """Return the markets to show, by symbol; this walks all of them."""
        return sorted(filter(self.is_shown, self.all()), key=lambda market: market.symbol)

    def is_shown(self, market: Market) -> bool:
        """Return whether a market is listed: demo markets only while there are no others."""
        return market.status == ACTIVE and (not is_demo(market) or self._shows_demo)

    @property
    def _shows_demo(self) -> bool:
        demo = self._active[DEMO_EXCHANGE]
        return self._show_demo or self._active.total() == demo

    @property
    def shown(self) -> int:
        """Return how many markets are listed."""
        hidden = 0 if self._shows_demo else self._active[DEMO_EXCHANGE]
        return self._active.total() - hidden

    @property
    def exchanges(self) -> list[str]:
        """Return the exchanges of the listed markets, sorted."""
        hidden = set() if self._shows_demo else {DEMO_EXCHANGE}
        counts = list(self._active.items())  # at once: the writer may add an exchange meanwhile
        return sorted(name for name, count in counts if count and name not in hidden)

    def listed_on(self, exchange: str) -> int:
        """Return how many markets of an exchange are listed."""
        return 0 if exchange == DEMO_EXCHANGE and not self._shows_demo else self._active[exchange]

    def ids(self) -> NDArray[np.uint32]:
        """Return the id of every market, in order of appearance."""
        with self._lock:
            return np.frombuffer(self._ids.tobytes(), np.uint32)

    def hidden(self) -> list[int]:
        """Return the ids of the markets that are not listed."""
        demo = {} if self._shows_demo else self._demo
        with self._lock:
            return list(self._inactive | demo)

    def demo_only(self) -> bool:
        """Return whether no market came from anywhere but the simulator."""
        return len(self._demo) == len(self._by_id)

    def changes(self, position: int, limit: int) -> Changes:
        """Return at most `limit` markets that one reader has not seen; it begins at position 0.

        First all that are new. Then those it has seen that are others now, each once, with what
        it saw. There is one such reader: what it was told is not told again.
        """
        with self._lock:
            ids = self._ids[position : position + limit]
            for market_id in ids:
                self._former.pop(market_id, None)
            replaced: list[tuple[Market, Market]] = []
            while len(ids) + len(replaced) < limit and self._former:
                market_id, former = self._former.popitem()
                replaced.append((former, self._by_id[market_id]))
            return Changes([self._by_id[i] for i in ids], replaced, position + len(ids))


def is_demo(market: Market | MarketSpec) -> bool:
    """Return whether a market is invented."""
    spec = market.spec if isinstance(market, Market) else market
    return spec.exchange == DEMO_EXCHANGE


def _candidates(spec: MarketSpec) -> Iterable[str]:
    """Yield the names to try: bare, then with the fee, the chain, six digits of the address."""
    yield spec.symbol
    digits = spec.contract.partition(":0x")[2] or spec.contract[2:]  # a key, where there is one
    endings = [str(number) for number in (spec.pool_fee, spec.chain_id) if number]
    endings += [digits[:length].upper() for length in (6, 10) if digits]
    for ending in (*endings, *map(str, range(2, 1_000_000))):
        yield f"{spec.symbol[: _LONGEST - 1 - len(ending)]}.{ending}"
