"""Discovered markets: all that must be kept of a market to decode its logs after a restart."""

from dataclasses import replace

import msgspec

from appliance.chain.market import ContractMarket
from appliance.chain.preset import Preset
from appliance.model import MarketSpec, PriceRule


class Discovered(msgspec.Struct, frozen=True, kw_only=True):
    """A market on a chain, as plain values that become JSON and come back.

    Known by `address` and `key` (0x and 64 digits, empty where the contract is one market).
    `factory`, `block_number` and `log_index` say which log made it known; `factory` is empty and
    the others 0 for a contract that the operator named. `pool_fee` tells pools of the same pair
    apart: 1/1,000,000 at Uniswap, 0 for none.
    """

    address: str
    preset: str
    symbol: str
    price_rule: PriceRule
    key: str = ""
    name: str = ""
    base: str = ""
    quote: str = ""
    decimals0: int = 18
    decimals1: int = 18
    invert: bool = False
    exchange: str = ""
    factory: str = ""
    block_number: int = 0
    log_index: int = 0
    pool_fee: int = 0

    @property
    def named_by_operator(self) -> bool:
        """Return whether no log made it known, so that no reorg makes it unknown."""
        return not self.factory

    @property
    def place(self) -> tuple[int, int, str, str]:
        """Return what the order of discovery follows."""
        return self.block_number, self.log_index, self.address, self.key

    def contract_market(self, preset: Preset, chain_id: int) -> ContractMarket:
        """Return the market for the decoder."""
        spec = MarketSpec(
            self.symbol,
            self.name,
            chain_id=chain_id,
            base=self.base,
            quote=self.quote,
            pool_fee=self.pool_fee,
        )
        if self.exchange:
            spec = replace(spec, exchange=self.exchange)
        return ContractMarket(
            self.address,
            spec,
            preset,
            self.decimals0,
            self.decimals1,
            invert=self.invert,
            price_rule=self.price_rule,
            key=self.key,
        )
