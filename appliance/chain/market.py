"""Contract markets: which contract is believed, and how its numbers are to be read."""

import re
from dataclasses import dataclass, replace
from typing import Final

from appliance.chain.preset import Preset
from appliance.errors import ConfigError
from appliance.model import MarketSpec, PriceRule

_KEY: Final = re.compile(r"0x[0-9a-fA-F]{64}")
_MOST_DECIMALS: Final = 77  # 10^77 is the largest power of ten below 2^256


@dataclass(frozen=True, slots=True)
class MarketTerms:
    """What a market adds to a preset; markets with equal terms are decoded in one go."""

    decimals0: int
    decimals1: int
    invert: bool
    price_rule: PriceRule


@dataclass(frozen=True, slots=True)
class ContractMarket:
    """One market of one contract.

    `decimals0` and `decimals1` scale raw amounts of the pool's tokens. Prices are token1 per
    token0; with `invert` token0 per token1, and base and quote change places. `price_rule` None
    takes the preset's. `key` is the market's id inside a contract that holds many, as 0x and 64
    digits; empty for contracts that are one market.
    """

    address: str
    spec: MarketSpec
    preset: Preset
    decimals0: int = 18
    decimals1: int = 18
    invert: bool = False
    price_rule: PriceRule | None = None
    key: str = ""

    def __post_init__(self) -> None:
        """Refuse what would decode to nonsense.

        Raises:
            ConfigError: names the contract, the value and the cure.
        """
        for name in ("decimals0", "decimals1"):
            value = getattr(self, name)
            if not 0 <= value <= _MOST_DECIMALS:
                raise ConfigError(
                    f"contract {self.address}: {name} must be from 0 to {_MOST_DECIMALS}, "
                    f"was {value}"
                )
        if self.preset.keyed and not _KEY.fullmatch(self.key):
            raise ConfigError(
                f"contract {self.address}: key must be 0x and 64 digits, as contracts of preset "
                f"{self.preset.name} hold many markets, was {self.key!r}"
            )
        if self.key and not self.preset.keyed:
            raise ConfigError(
                f"contract {self.address}: key must be left out with preset {self.preset.name}, "
                f"was {self.key!r}"
            )
        one_sided = [
            e.event.name
            for e in self.preset.events.values()
            if e.is_trade and not (e.form.base and e.form.quote)
        ]
        if self.invert and one_sided:
            raise ConfigError(
                f"contract {self.address}: invert must be left out with preset "
                f"{self.preset.name}: {one_sided[0]} does not tell both volumes"
            )

    @property
    def terms(self) -> MarketTerms:
        """Return what its decoding depends on besides the preset."""
        return MarketTerms(self.decimals0, self.decimals1, self.invert, self._rule)

    @property
    def market_key(self) -> str:
        """Return what memory knows it by: the address in lower case, `:<key>` if it has one."""
        return f"{self.address}:{self.key}".lower() if self.key else self.address.lower()

    @property
    def market_spec(self) -> MarketSpec:
        """Return the spec with the address, chain order and the price rule that is used."""
        contract = self.spec.contract or self.market_key
        return replace(self.spec, contract=contract, order="chain", price_rule=self._rule)

    @property
    def _rule(self) -> PriceRule:
        return self.price_rule or self.preset.price_rule
