"""Sites: which contracts are believed, and which plan reads a log of theirs for which market."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from appliance.chain.log import Logs
from appliance.chain.market import ContractMarket, MarketTerms
from appliance.chain.plan import Plan
from appliance.chain.preset import Preset
from appliance.chain.words import shape_problem
from appliance.errors import ConfigError
from appliance.model import LOG_INDEX_BITS, MarketSpec

Plans = dict[str, Plan]
Route = tuple[int, Plan]
_KEY: Final = re.compile(r"0x[0-9a-f]{64}")
_ADDRESS: Final = "0x" + "0" * 24
"""How every word begins that holds an address."""


@dataclass(frozen=True, slots=True)
class Site:
    """A believed contract: its market and plans by topic0, or where keyed those of each key."""

    preset: Preset
    market: int
    plans: Plans
    keyed: dict[str, tuple[int, Plans]] = field(default_factory=dict)

    def route(self, topics: Sequence[str], data: str) -> Route | None:
        """Return the market of a log and the plan that reads it, None when there is none."""
        topic0 = topics[0].lower() if topics else ""
        if not self.preset.keyed:
            plan = self.plans.get(topic0)
            return None if plan is None else (self.market, plan)
        found = self.keyed.get(self._word(topic0, topics, data))
        return None if found is None else (found[0], found[1][topic0])

    def unknown_key(self, topics: Sequence[str], data: str) -> str:
        """Return the key that a log names and nobody added, empty for all other logs."""
        topic0 = topics[0].lower() if topics else ""
        key = self._word(topic0, topics, data)
        known = not key or key in self.keyed
        return "" if known or self.problem(topics, data) else key

    def problem(self, topics: Sequence[str], data: str) -> str:
        """Return why a log of the preset's events does not tell its market, empty if it does."""
        event = self.preset.events.get(topics[0].lower()) if topics else None
        if event is None or event.form.market is None:
            return ""
        argument = event.argument(event.form.market)
        key = self._word(event.event.topic0, topics, data)
        if argument.type == "address" and not key.startswith(_ADDRESS):
            key = ""
        problem = shape_problem(event.event, topics, data)
        if problem or _KEY.fullmatch(key):
            return problem
        return f"{argument.name} must be of type {argument.type}"

    def _word(self, topic0: str, topics: Sequence[str], data: str) -> str:
        """Return the word that names the market, as far as it is there, in lower case."""
        event = self.preset.events.get(topic0)
        if event is None or event.form.market is None:
            return ""
        word = event.argument(event.form.market).word
        if word < event.event.topics:
            return topics[word + 1].lower() if len(topics) > word + 1 else ""
        start = 2 + 64 * (word - event.event.topics)
        return "0x" + data[start : start + 64].lower()


class Sites:
    """All believed contracts of one chain, and their markets in the order they were added."""

    def __init__(self) -> None:
        """Believe nobody yet."""
        self.keys: list[str] = []
        self.asks_mark = False
        self._specs: list[MarketSpec] = []
        self._told: tuple[MarketSpec, ...] = ()
        self._sites: dict[str, Site] = {}
        self._any_keyed = False
        self._plans: dict[tuple[Preset, MarketTerms], Plans] = {}

    @property
    def specs(self) -> tuple[MarketSpec, ...]:
        """Return the markets' specs."""
        if len(self._told) != len(self._specs):
            self._told = tuple(self._specs)
        return self._told

    def find(self, address: str) -> Site | None:
        """Return what is known of a contract."""
        return self._sites.get(address) or self._sites.get(address.lower())

    def add(self, markets: Iterable[ContractMarket]) -> None:
        """Believe the contracts of these markets.

        Raises:
            ConfigError: two markets claim the same contract (and key).
        """
        for market in markets:
            plans, index = self._compiled(market), len(self._specs)
            if market.key:
                self.watch(market.address, market.preset)
                keyed = self._sites[market.address.lower()].keyed
                if market.key.lower() in keyed:
                    raise _twice(market.market_key)
                keyed[market.key.lower()] = index, plans
            elif market.address.lower() in self._sites:
                raise _twice(market.market_key)
            else:
                self._sites[market.address.lower()] = Site(market.preset, index, plans)
            self.keys.append(market.market_key)
            self._specs.append(market.market_spec)

    def watch(self, address: str, preset: Preset) -> None:
        """Believe a contract that holds many markets.

        Raises:
            ConfigError: the contract is known with another preset, or its preset has no keys.
        """
        site = self._sites.setdefault(address.lower(), Site(preset, -1, {}))
        if not preset.keyed or site.preset is not preset:
            raise _twice(address.lower())
        self._any_keyed = True

    def unknown(self, logs: Logs) -> list[tuple[str, str]]:
        """Return (contract, key) of markets that nobody added, each once, in chain order."""
        if not self._any_keyed:
            return []
        first: dict[tuple[str, str], int] = {}
        for row, (address, topics) in enumerate(zip(logs.address, logs.topics, strict=True)):
            site = self.find(address)
            key = site.unknown_key(topics, logs.data[row]) if site is not None else ""
            if not key:
                continue
            place = (logs.block_number[row] << LOG_INDEX_BITS) | logs.log_index[row]
            found = address.lower(), key
            first[found] = min(first.get(found, place), place)
        return sorted(first, key=first.__getitem__)

    def _compiled(self, market: ContractMarket) -> Plans:
        """Return the plans of the market's events, shared by all markets with equal terms."""
        at = market.preset, market.terms
        if at not in self._plans:
            events = market.preset.events.items()
            self._plans[at] = {topic: Plan(event, market.terms) for topic, event in events}
            self.asks_mark |= any(plan.recalls_mark for plan in self._plans[at].values())
        return self._plans[at]


def _twice(contract: str) -> ConfigError:
    return ConfigError(f"contract {contract} must be given once: remove one market")
