"""Which contracts are believed when events of theirs are pushed, and how these are read.

In this order: contracts that the operator configured, markets that were discovered or pushed
before (remembered in the store with preset and decimals), markets of the store with that address,
and where new markets may be made any other, by the preset of PRESET.

A contract that is followed from a node is left to its follower. A pushed log may be of a block
that a reorg replaces before the follower sees it, and nobody would ever take it back.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import msgspec

from appliance.chain.market import ContractMarket
from appliance.chain.preset import Preset
from appliance.errors import BadRequest, ConfigError, UnknownSymbol
from appliance.files.symbol import assets
from appliance.following import naming
from appliance.following.discovered import Discovered
from appliance.following.presets import Presets
from appliance.following.terms import ChainTerms, ContractTerms
from appliance.model import Checkpoint, Market, MarketSpec
from appliance.store import checkpoints
from appliance.store.catalogue import is_demo
from appliance.store.store import Store

log = logging.getLogger(__name__)
DEFAULT_CHAIN_ID: Final = 1
Place = tuple[int, str]
"""Chain id and contract in lower case."""


class Source(Protocol):
    """A chain that is followed from a node."""

    @property
    def chain_id(self) -> int | None:
        """Return its id, None until a node has said it."""
        ...

    def follows(self, address: str) -> bool:
        """Return whether the logs of this contract (lower case) are read from the node."""
        ...

    def wake(self) -> None:
        """Look for a new block now."""
        ...


@dataclass(frozen=True, slots=True)
class Site:
    """A believed contract; `followed` means that its logs are read from a node anyway."""

    chain_id: int
    address: str
    preset: Preset
    terms: ContractTerms | None = None
    followed: bool = False


@dataclass(frozen=True, slots=True)
class Hints:
    """What a pushed event says of its market, in case that nobody knows it."""

    symbol: str = ""
    decimals: tuple[int, int] | None = None


class Undecided(BadRequest):
    """The caller must say more; the message begins with the field."""


class Book:
    """All that is known of contracts; loaded once, then kept current by `remember`."""

    def __init__(
        self,
        chains: Sequence[ChainTerms],
        presets: Presets,
        preset: Preset,
        store: Store,
        sources: Sequence[Source] = (),
    ) -> None:
        """Read unknown contracts by `preset`; nothing stored is known before `load`."""
        self._chains = chains
        self._presets = presets
        self._preset = preset
        self._store = store
        self._sources = sources
        self._rows: dict[Place, dict[str, Discovered]] = {}
        self._chain_ids: dict[str, frozenset[int]] = {}
        self._loading = asyncio.Lock()
        self._loaded = False

    async def load(self) -> None:
        """Read what is remembered of markets, once.

        Raises:
            Retryable: the store fails.
        """
        async with self._loading:
            if not self._loaded:
                for chain_id in sorted({m.spec.chain_id for m in self._store.catalogue.all()}):
                    for kind in (f"market:{chain_id}", _kind(chain_id)):
                        self._take(chain_id, await self._remembered(kind))
                self._loaded = True

    async def _remembered(self, kind: str) -> dict[str, str]:
        read = self._store.writer.call(lambda client: checkpoints.read(client, kind))
        return await asyncio.wrap_future(read)

    def _take(self, chain_id: int, values: dict[str, str]) -> None:
        for value in filter(None, values.values()):
            row = msgspec.json.decode(value, type=Discovered)
            try:
                self._presets.named(row.preset)
            except ConfigError:
                log.warning(
                    "%s: preset %s is gone: name its file in EVENTS_FILE", row.symbol, row.preset
                )
                continue
            self._put(chain_id, row)

    def _put(self, chain_id: int, row: Discovered) -> None:
        """Know a market; others read meanwhile, so nothing is changed that they may walk over."""
        place = chain_id, row.address
        self._rows[place] = self._rows.get(place, {}) | {row.key: row}
        known = self._chain_ids.get(row.address, frozenset())
        self._chain_ids[row.address] = known | {chain_id}

    # Contracts

    def site(self, chain_id: int | None, address: str, *, create: bool) -> Site | None:
        """Return what is known of a contract, None for a stranger; `create` makes one known.

        Raises:
            Undecided: the contract is known on several chains, or is a demo's.
        """
        chain, terms = self._configured(chain_id, address)
        chain_id = chain_id or self._chain_of(chain, address)
        rows = self._rows.get((chain_id, address), {})
        followed = bool(chain and chain.rpc_urls) or self._is_followed(chain_id, address, rows)
        if terms is not None:
            return Site(chain_id, address, terms.preset, terms, followed)
        for row in rows.values():
            return Site(chain_id, address, self._presets.named(row.preset), None, followed)
        if followed or create or self._stored(chain_id, address) is not None:
            return Site(chain_id, address, self._preset, None, followed)
        return None

    def default_chain_id(self) -> int:
        """Return the id of the one chain that is known, 1 where there is none or several."""
        known = {chain.chain_id for chain in self._chains} | {s.chain_id for s in self._sources}
        known.discard(None)
        return known.pop() or DEFAULT_CHAIN_ID if len(known) == 1 else DEFAULT_CHAIN_ID

    def wake(self, places: Iterable[Place]) -> None:
        """Let the followers of these contracts look at once."""
        for source in self._sources:
            if any(_may_be(source.chain_id, c) and source.follows(a) for c, a in places):
                source.wake()

    def _configured(
        self, chain_id: int | None, address: str
    ) -> tuple[ChainTerms | None, ContractTerms | None]:
        for chain in self._chains:
            if chain_id is None or _may_be(chain.chain_id, chain_id):
                for terms in chain.contracts:
                    if terms.address == address:
                        return chain, terms
        return None, None

    def _is_followed(self, chain_id: int, address: str, rows: dict[str, Discovered]) -> bool:
        makers = {row.factory for row in rows.values()} - {""}
        for chain in self._chains:
            followed = chain.rpc_urls and _may_be(chain.chain_id, chain_id)
            if followed and any(terms.address in makers for terms in chain.contracts):
                return True
        return any(
            _may_be(source.chain_id, chain_id) and source.follows(address)
            for source in self._sources
        )

    def _chain_of(self, chain: ChainTerms | None, address: str) -> int:
        """Return the chain of a contract that was named without one."""
        if chain is not None and chain.chain_id is not None:
            return chain.chain_id
        known = set(self._chain_ids.get(address, ()))
        try:
            market = self._store.catalogue.resolve(address)
            known |= {market.spec.chain_id} if not is_demo(market) else set()
        except UnknownSymbol:
            pass
        except BadRequest as error:
            raise _several(address) from error
        if len(known) > 1:
            raise _several(address)
        return known.pop() if known else self.default_chain_id()

    # Markets

    def market(self, site: Site, key: str, hints: Hints) -> ContractMarket:
        """Return the market of a contract (and key); one that is new is named by `hints`.

        Raises:
            Undecided: it cannot be known how to read its amounts, or it is a demo's.
        """
        row = self._rows.get((site.chain_id, site.address), {}).get(key)
        if row is None:
            row = self._new(site, key, hints)
        return row.contract_market(site.preset, site.chain_id)

    def stored(self, market: ContractMarket) -> Market | None:
        """Return the market as it is stored, None before its first trade."""
        return self._store.catalogue.find(market.market_spec)

    def _stored(self, chain_id: int, address: str, key: str = "") -> Market | None:
        contract = f"{address}:{key}" if key else address
        return self._store.catalogue.find(MarketSpec("", chain_id=chain_id, contract=contract))

    def _new(self, site: Site, key: str, hints: Hints) -> Discovered:
        preset, terms = site.preset, site.terms
        if preset.scaled_by_tokens and hints.decimals is None:
            raise Undecided(
                f"decimals0 must be given, with decimals1, in the first event of {site.address}: "
                f"preset {preset.name} reads amounts by the decimals of both tokens",
                "decimals0",
            )
        stored = self._stored(site.chain_id, site.address, key)
        if stored is not None and is_demo(stored):
            raise Undecided(
                f"contractAddress must be of a real contract, {site.address} is of the demo",
                "contractAddress",
            )
        spec = stored.spec if stored is not None else _named(site, key, hints)
        decimals = hints.decimals or (18, 18)
        return Discovered(
            address=site.address,
            preset=preset.name,
            symbol=spec.symbol,
            price_rule=spec.price_rule,
            key=key,
            name=spec.name,
            base=spec.base,
            quote=spec.quote,
            decimals0=decimals[0],
            decimals1=decimals[1],
            invert=bool(terms and terms.invert),
            exchange=spec.exchange,
        )

    def facts(self, market: ContractMarket, chain_id: int) -> Checkpoint | None:
        """Return what remembers a market for the next start, None where it is remembered."""
        if market.key in self._rows.get((chain_id, market.address), {}):
            return None
        value = msgspec.json.encode(_row(market)).decode()
        return Checkpoint(_kind(chain_id), f"{market.address}:{market.key}", value)

    def remember(self, market: ContractMarket, chain_id: int) -> None:
        """Know a market, now that its facts are stored."""
        if market.key not in self._rows.get((chain_id, market.address), {}):
            self._put(chain_id, _row(market))


def _kind(chain_id: int) -> str:
    return f"pushed:{chain_id}"


def _may_be(known: int | None, chain_id: int) -> bool:
    return known is None or known == chain_id


def _several(address: str) -> Undecided:
    return Undecided(f"chainId must be given, {address} is known on several chains", "chainId")


def _named(site: Site, key: str, hints: Hints) -> MarketSpec:
    """Return the spec of a market that nobody knows yet."""
    preset, terms = site.preset, site.terms
    own = terms.symbol if terms is not None and not key else ""
    symbol = own or hints.symbol
    symbol = symbol or (_name_of(preset, key) if key else naming.of_address(site.address))
    base, quote = assets(symbol)
    if "/" not in symbol:
        quote = naming.asset(preset.quote) or quote
    rule = (terms.price if terms is not None else None) or preset.price_rule
    exchange = terms.exchange if terms is not None else ""
    spec = MarketSpec(symbol, base=base, quote=quote, price_rule=rule)
    return replace(spec, exchange=exchange) if exchange else spec


def _name_of(preset: Preset, key: str) -> str:
    """Return what to call a market by its key, which may be an address, a number or a hash."""
    named = [(e, e.form.market) for e in preset.events.values() if e.form.market is not None]
    if all(event.argument(market).type == "address" for event, market in named):
        return naming.of_address(f"0x{int(key, 16):040x}")
    return naming.of_key(key)


def _row(market: ContractMarket) -> Discovered:
    spec = market.market_spec
    return Discovered(
        address=market.address,
        preset=market.preset.name,
        symbol=spec.symbol,
        price_rule=spec.price_rule,
        key=market.key,
        name=spec.name,
        base=spec.base,
        quote=spec.quote,
        decimals0=market.decimals0,
        decimals1=market.decimals1,
        invert=market.invert,
        exchange=spec.exchange,
    )
