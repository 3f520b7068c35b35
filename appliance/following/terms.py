"""Terms: what the operator says of a chain and its contracts, checked."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from appliance.chain.market import ContractMarket
from appliance.chain.preset import Preset
from appliance.errors import ConfigError
from appliance.model import MarketSpec, PriceRule


@dataclass(frozen=True)
class ContractTerms:
    """A contract whose logs are believed; `address` in lower case.

    It is one market, or holds many under keys, or (`factory`) makes others. What is empty or None
    is found on the chain: the symbol, the side that is the quote (`invert`), the preset's `price`
    rule, the product's own `exchange`.
    """

    address: str
    preset: Preset
    factory: bool = False
    price: PriceRule | None = None
    invert: bool | None = None
    symbol: str = ""
    exchange: str = ""

    @property
    def is_market(self) -> bool:
        """Return whether the contract is exactly one market."""
        return not self.factory and not self.preset.keyed

    @property
    def makes_markets(self) -> bool:
        """Return whether its logs tell of new markets: a factory, or its own factory."""
        return self.factory or self.preset.lists_itself

    @property
    def holds_keys(self) -> bool:
        """Return whether it emits the trades of many markets, told apart by their keys."""
        return self.preset.keyed and (not self.factory or self.preset.lists_itself)


@dataclass(frozen=True)
class ChainTerms:
    """One chain to follow. Without `rpc_urls` its events are only taken where they are pushed.

    `name` is for people: what the operator calls it, else its first node's host. `chain_id` None:
    whatever the nodes say; a number: they must agree with it.
    """

    rpc_urls: tuple[str, ...] = field(repr=False)  # hold keys
    ws_url: str = field(repr=False)
    start_block: int | None
    confirmations: int | None
    contracts: tuple[ContractTerms, ...]
    name: str
    chain_id: int | None = None


def host_of(url: str) -> str:
    """Return host and port of a node's address; the rest may be a key."""
    return urlsplit(url).netloc.rpartition("@")[2]


def check_contract(terms: ContractTerms) -> None:
    """Check that what is said of one contract fits its preset.

    Raises:
        ConfigError: begins with the key that does not.
    """
    preset = terms.preset
    if terms.symbol and not terms.is_market:
        raise ConfigError(
            f"symbol must be left out, was {terms.symbol!r}: the contract has many markets"
        )
    if terms.invert:
        try:
            key = "0x" + 64 * "0" if preset.keyed else ""
            ContractMarket(terms.address, MarketSpec(""), preset, invert=True, key=key)
        except ConfigError as error:
            raise ConfigError(str(error).partition(": ")[2]) from error


def check_together(contracts: Iterable[ContractTerms]) -> None:
    """Check that the contracts of one chain are different ones, and enough.

    Raises:
        ConfigError: names the contract or the preset.
    """
    known: dict[str, ContractTerms] = {}
    for terms in contracts:
        if terms.address in known:
            raise ConfigError(f"contract {terms.address} must be given once: remove one")
        known[terms.address] = terms
    holders = {terms.preset.name for terms in known.values() if terms.holds_keys}
    for terms in known.values():
        name = terms.preset.name
        if terms.factory and terms.preset.keyed and name not in holders:
            raise ConfigError(
                f"a contract with preset {name} must be given besides factory {terms.address}, "
                "which only lists the markets: add the contract that emits the trades"
            )
