"""Discovery: the markets of one chain, those the operator named and those that logs make known.

Nothing is believed that no configured contract said: a factory's log counts only when it comes
from a configured factory. What was found goes to the store with the trades of its block and comes
back with `load`; a reorg takes back what its blocks made known.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Final, TypeVar

import msgspec

from appliance.chain.counts import Counts
from appliance.chain.created import Created, created
from appliance.chain.log import Logs
from appliance.chain.market import ContractMarket
from appliance.chain.preset import Preset
from appliance.following.discovered import Discovered
from appliance.following.scout import Scout, Sighting
from appliance.following.terms import ChainTerms, ContractTerms
from appliance.following.tokens import Tokens
from appliance.following.views import Node
from appliance.rpc.together import together

__all__ = ["Discovered", "Discovery"]
log = logging.getLogger(__name__)
T = TypeVar("T")
R = TypeVar("R")
Place = tuple[str, str]
"""Address and key of a market."""
_AT_ONCE: Final = 16


class Discovery:
    """What is known of one chain's markets; its calls must not overlap."""

    def __init__(self, chain_id: int, terms: ChainTerms, tokens: Tokens) -> None:
        """Know no market yet."""
        self._chain_id = chain_id
        self._terms = {contract.address: contract for contract in terms.contracts}
        self._scout = Scout(tokens)
        self._rows: dict[Place, Discovered] = {}
        self._markets: dict[Place, ContractMarket] = {}
        self._unreadable: set[Place] = set()

    @property
    def addresses(self) -> list[str]:
        """Return every contract that is believed, factories included."""
        return list(dict.fromkeys([*self._terms, *(address for address, _ in self._rows)]))

    @property
    def topics(self) -> list[str]:
        """Return the topic0 of all events that mean something."""
        markets = [topic for terms in self._terms.values() for topic in terms.preset.topics]
        return list(dict.fromkeys([*markets, *self.factory_topics]))

    @property
    def factories(self) -> list[str]:
        """Return the contracts whose logs make markets known."""
        return [address for address, terms in self._terms.items() if terms.makes_markets]

    @property
    def factory_topics(self) -> list[str]:
        """Return the topic0 of the events that make markets known."""
        makers = [terms for terms in self._terms.values() if terms.makes_markets]
        return list(dict.fromkeys(t for terms in makers for t in terms.preset.creation_topics))

    @property
    def holders(self) -> list[tuple[str, Preset]]:
        """Return the contracts that hold many markets under keys, for `Decoder.watch`."""
        return [(a, terms.preset) for a, terms in self._terms.items() if terms.holds_keys]

    @property
    def markets(self) -> list[ContractMarket]:
        """Return all markets, in the order of their discovery."""
        return list(self._markets.values())

    def holds(self, address: str) -> bool:
        """Return whether logs of this contract are believed; any thread may ask."""
        return address in self._terms or (address, "") in self._rows

    def made_by(self, contracts: Collection[str]) -> list[str]:
        """Return the contracts among these, and those of the markets that they made."""
        made = [row.address for row in self._rows.values() if row.factory in contracts]
        return list(dict.fromkeys([*(a for a in self._terms if a in contracts), *made]))

    def load(self, rows: Iterable[Discovered]) -> None:
        """Take back what was discovered before a restart.

        A market is left out whose contract and factory are no longer configured. Where the
        operator has changed a market's terms, its own stay: its stored trades follow them.
        """
        for row in sorted(rows, key=lambda row: row.place):
            terms = self._terms.get(row.address) or self._terms.get(row.factory)
            if terms is None:
                log.info("%s: not followed, contract %s is not configured", row.symbol, row.address)
            elif row.preset != terms.preset.name and row.named_by_operator:
                log.info("%s: preset is now %s, was %s", row.symbol, terms.preset.name, row.preset)
            else:
                _warn_of_changes(row, terms)
                self._add(msgspec.structs.replace(row, preset=terms.preset.name))

    async def configured(self, node: Node) -> list[Discovered]:
        """Return the markets that the operator named and that are new, in the order named.

        Raises:
            ConfigError: a contract is not there, or is no market of its preset.
            RpcError: the node failed; nothing was learnt.
        """
        contracts = list(self._terms.values())
        await _each(contracts, lambda terms: self._scout.check(node, terms))
        new = [t for t in contracts if t.is_market and (t.address, "") not in self._rows]
        return await self._look(node, [Sighting(terms, terms.address) for terms in new])

    async def learn(self, node: Node, logs: Logs, counts: Counts) -> list[Discovered]:
        """Return the markets that factories' logs make known and that are new, ascending.

        Only logs of factories with their events are counted, as `created` counts them. A market
        may be among `logs` more than once, also in another call: it is returned once.

        Raises:
            RpcError: the node failed; nothing was learnt.
        """
        sightings: dict[Place, Sighting] = {}
        counted = Counts()
        for creation in self._created(logs, counted):
            for sighting in self._sightings(creation):
                place = sighting.address, sighting.key
                if place not in self._rows and place not in self._unreadable:
                    sightings.setdefault(place, sighting)
        found = await self._look(node, list(sightings.values()))
        counts.add(counted)  # not before: after a failure the same logs come again
        return found

    async def learn_keys(
        self, node: Node, unknown: Iterable[Place], block_number: int
    ) -> list[Discovered]:
        """Return the new markets among (contract, key) that logs of `block_number` name.

        Raises:
            RpcError: the node failed; nothing was learnt.
        """
        sightings: dict[Place, Sighting] = {}
        for address, key in unknown:
            terms, place = self._terms.get(address), (address, key)
            known = place in self._rows or place in self._unreadable
            if terms is not None and terms.holds_keys and not known:
                sightings[place] = Sighting(terms, *place, address, block_number)
        return await self._look(node, list(sightings.values()))

    def retract(self, from_block: int) -> list[Discovered]:
        """Forget the markets that blocks from `from_block` on made known, and return them."""
        gone = [
            row
            for row in self._rows.values()
            if row.block_number >= from_block and not row.named_by_operator
        ]
        for row in gone:
            del self._rows[row.address, row.key]
            del self._markets[row.address, row.key]
        self._unreadable.clear()
        return gone

    def _add(self, row: Discovered) -> None:
        terms = self._terms.get(row.address) or self._terms[row.factory]
        self._markets[row.address, row.key] = row.contract_market(terms.preset, self._chain_id)
        self._rows[row.address, row.key] = row

    async def _look(self, node: Node, sightings: list[Sighting]) -> list[Discovered]:
        """Return the markets that could be read; all are added, or where the node fails none."""
        rows = await _each(sightings, lambda sighting: self._scout.look(node, sighting))
        for sighting, row in zip(sightings, rows, strict=True):
            if row is None:
                self._unreadable.add((sighting.address, sighting.key))
            else:
                self._add(row)
        return [row for row in rows if row is not None]

    def _created(self, logs: Logs, counts: Counts) -> list[Created]:
        """Return what factories made, in the order of the chain."""
        found: list[Created] = []
        factories: dict[Preset, set[str]] = {}
        for address in self.factories:
            factories.setdefault(self._terms[address].preset, set()).add(address)
        for preset, addresses in factories.items():
            theirs = _part(logs, addresses, set(preset.creation_topics))
            found += created(preset, theirs, addresses, counts)
        made = [creation for creation in found if creation.active is None]
        return sorted(made, key=lambda creation: (creation.block_number, creation.log_index))

    def _sightings(self, creation: Created) -> list[Sighting]:
        """Return the markets that one log made: in its own contract, or in those it is made for."""
        terms = self._terms[creation.factory]
        at = creation.factory, creation.block_number, creation.log_index, creation
        if creation.address:
            own = self._terms.get(creation.address, terms)
            return [Sighting(own, creation.address, creation.key, *at)]
        return [
            Sighting(holder, address, creation.key, *at)
            for address, holder in self._terms.items()
            if holder.holds_keys and holder.preset is terms.preset
        ]


def _part(logs: Logs, addresses: set[str], topics: set[str]) -> Logs:
    """Return the logs of some contracts with some events."""
    rows = [
        row
        for row, (address, words) in enumerate(zip(logs.address, logs.topics, strict=True))
        if address.lower() in addresses and words and words[0].lower() in topics
    ]

    def picked(column: Sequence[T]) -> list[T]:
        return [column[row] for row in rows]

    return Logs(
        block_number=picked(logs.block_number),
        time_us=picked(logs.time_us),
        transaction_hash=picked(logs.transaction_hash),
        log_index=picked(logs.log_index),
        address=picked(logs.address),
        topics=picked(logs.topics),
        data=picked(logs.data),
    )


def _warn_of_changes(row: Discovered, terms: ContractTerms) -> None:
    """Say which terms of the operator come too late for a market that has trades."""
    wanted = {"price": terms.price or "", "exchange": terms.exchange}
    wanted["invert"] = "" if terms.invert is None else str(terms.invert).lower()
    wanted["symbol"] = terms.symbol if terms.address == row.address else ""
    current = {"price": row.price_rule, "exchange": row.exchange}
    current |= {"invert": str(row.invert).lower(), "symbol": row.symbol}
    for key, value in wanted.items():
        if value and value != current[key]:
            log.warning(
                "%s (contract %s): %s stays %s, as its stored trades have it, and %s has no "
                "effect: begin with an empty DATA_DIR to change it",
                *(row.symbol, row.address, key, current[key] or "unset", value),
            )


async def _each(items: Iterable[T], work: Callable[[T], Awaitable[R]]) -> list[R]:
    """Return what `work` makes of each item, in order, a few at a time."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(item: T) -> R:
        async with gate:
            return await work(item)

    return await together(one(item) for item in items)
