"""The scout: asks the chain what one market is, and gives it its name.

Symbols come from the operator, else from the log that made the market, else from its tokens, else
from the contract itself, else from its address: in this order, and never empty.
"""

import logging
from dataclasses import dataclass
from typing import Final

from appliance.chain.created import Created
from appliance.chain.preset import Preset
from appliance.errors import ConfigError
from appliance.files.symbol import DEFAULT_QUOTE, assets
from appliance.following import naming
from appliance.following.discovered import Discovered
from appliance.following.terms import ContractTerms
from appliance.following.tokens import Tokens
from appliance.following.views import (
    Node,
    address_of,
    has_code,
    must_know,
    number_in,
    text_in,
    view,
)

log = logging.getLogger(__name__)
_MOST_FEE: Final = 10**6
"""A whole: above it is a flag, as Uniswap v4 has for fees that change."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A market to look at: where it is, and what a log has said of it.

    `terms` are those of its own contract, else those of the factory that made it.
    """

    terms: ContractTerms
    address: str
    key: str = ""
    factory: str = ""
    block_number: int = 0
    log_index: int = 0
    created: Created | None = None


@dataclass(frozen=True, slots=True)
class _Names:
    """What the chain says of a market."""

    symbol: str
    name: str
    base: str
    quote: str
    decimals0: int = 18
    decimals1: int = 18
    invert: bool = False


class Scout:
    """Looks at markets of one chain."""

    def __init__(self, tokens: Tokens) -> None:
        """Ask for tokens here."""
        self._tokens = tokens

    async def check(self, node: Node, terms: ContractTerms) -> None:
        """Check that a configured contract exists.

        Raises:
            ConfigError: there is no code at its address.
            RpcError: the node failed.
        """
        if not await has_code(node, terms.address):
            raise ConfigError(
                f"contract {terms.address} must exist on the chain of the node, which has no code "
                "there: correct the address, or the node's in RPC_URL (rpc_urls in MARKETS_FILE)"
            )

    async def look(self, node: Node, sighting: Sighting) -> Discovered | None:
        """Return the market, None where its numbers cannot be read: the log says why.

        Raises:
            ConfigError: a contract that the operator named is no market of its preset.
            RpcError: the node failed.
        """
        terms, preset = sighting.terms, sighting.terms.preset
        if preset.tokens == "pair" or preset.scaled_by_tokens:
            names = await self._pair(node, sighting)
        elif preset.tokens == "key":
            names = await self._by_token(node, sighting)
        else:
            names = await self._by_contract(node, sighting)
        if names is None:
            return None
        symbol, base, quote = names.symbol, names.base, names.quote
        if terms.symbol and sighting.address == terms.address:
            symbol = terms.symbol
            if "/" in symbol or not (base and preset.tokens):
                base, quote = assets(symbol)
        return Discovered(
            address=sighting.address,
            preset=preset.name,
            symbol=symbol,
            price_rule=terms.price or preset.price_rule,
            key=sighting.key,
            name=names.name or symbol,
            base=base,
            quote=quote,
            decimals0=names.decimals0,
            decimals1=names.decimals1,
            invert=names.invert,
            exchange=terms.exchange,
            factory=sighting.factory,
            block_number=sighting.block_number,
            log_index=sighting.log_index,
            pool_fee=await self._fee(node, sighting),
        )

    async def _pair(self, node: Node, sighting: Sighting) -> _Names | None:
        """Return the names of a pool of two tokens."""
        at, created = sighting.block_number, sighting.created
        addresses = [created.token0, created.token1] if created is not None else ["", ""]
        if not all(addresses) and not sighting.key:
            addresses = [
                address_of(await view(node, sighting.address, function))
                for function in ("token0()", "token1()")
            ]
        if not all(addresses):
            await must_know(node, at)
            _without_tokens(sighting)
            return None
        token0, token1 = [await self._tokens.read(node, address, at) for address in addresses]
        invert = _inverted(sighting.terms, token0.symbol, token1.symbol)
        base, quote = (token1, token0) if invert else (token0, token1)
        return _Names(
            symbol=f"{base.symbol}/{quote.symbol}",
            name=naming.label(f"{base.name} / {quote.name}"),
            base=base.symbol,
            quote=quote.symbol,
            decimals0=token0.decimals,
            decimals1=token1.decimals,
            invert=invert,
        )

    async def _by_token(self, node: Node, sighting: Sighting) -> _Names:
        """Return the names of a market whose key is the address of its token."""
        token = await self._tokens.read(node, _address(sighting.key), sighting.block_number)
        quote = naming.asset(sighting.terms.preset.quote) or DEFAULT_QUOTE
        return _Names(token.symbol, token.name, token.symbol, quote, invert=_said(sighting))

    async def _by_contract(self, node: Node, sighting: Sighting) -> _Names:
        """Return the names that a log has said, or a contract says of itself."""
        created, preset = sighting.created, sighting.terms.preset
        symbol = naming.market(created.symbol) if created is not None else ""
        name = naming.label(created.name) if created is not None else ""
        asked = await self._asked(node, sighting) if not symbol else ["", ""]
        name = name or naming.label(asked[1])
        symbol = symbol or naming.market(asked[0]) or naming.market(asked[1])
        if not symbol:
            await must_know(node, sighting.block_number)
            symbol = _fallback(sighting)
        base, quote = assets(symbol)
        if "/" not in symbol:
            quote = naming.asset(preset.quote) or quote
        return _Names(symbol, name, base, quote, invert=_said(sighting))

    async def _asked(self, node: Node, sighting: Sighting) -> list[str]:
        """Return what the market's contract answers as its symbol and its name."""
        call, keyed = sighting.terms.preset.symbol_call, bool(sighting.key)
        contract = sighting.address
        if keyed:
            if not call or not _keyed_by_address(sighting.terms.preset):
                return ["", ""]
            contract = _address(sighting.key)
        functions = (call,) if call else ("symbol()", "name()")
        answers = [text_in(await view(node, contract, function)) for function in functions]
        return answers if len(answers) > 1 else [answers[0], ""]

    async def _fee(self, node: Node, sighting: Sighting) -> int:
        """Return the pool's fee, 0 where its preset knows none."""
        fee: int | None = None
        if sighting.created is not None:
            fee = sighting.created.pool_fee
        elif not sighting.key and _has_fees(sighting.terms.preset):
            fee = number_in(await view(node, sighting.address, "fee()"))
        return fee if fee is not None and fee <= _MOST_FEE else 0


def _inverted(terms: ContractTerms, symbol0: str, symbol1: str) -> bool:
    """Return whether prices are token0 per token1: as said, as the symbol says, or as is usual."""
    if terms.invert is not None:
        return terms.invert
    if not _invertible(terms.preset):
        return False
    said = {f"{symbol0}/{symbol1}": False, f"{symbol1}/{symbol0}": True}
    return said.get(terms.symbol, naming.quotes_first(symbol0, symbol1))


def _without_tokens(sighting: Sighting) -> None:
    """Say that a pool's tokens cannot be known, so that its amounts mean nothing.

    Raises:
        ConfigError: the operator named it as a pool.
    """
    name = sighting.terms.preset.name
    if not sighting.factory:
        raise ConfigError(
            f"contract {sighting.address} must be a pool with token0() and token1(), as preset "
            f"{name} needs, and does not answer them: correct the address or the preset"
        )
    if sighting.key:
        log.warning(
            "contract %s: market %s was made before the first block that was read, so its tokens "
            "are not known and it is left out: set an earlier START_BLOCK",
            *(sighting.address, sighting.key),
        )
    else:
        log.warning(
            "contract %s: does not answer token0() and token1(), and is left out",
            sighting.address,
        )


def _said(sighting: Sighting) -> bool:
    return bool(sighting.terms.invert)


def _invertible(preset: Preset) -> bool:
    """Return whether every trade tells both volumes, so that base and quote can change places."""
    trades = [event.form for event in preset.events.values() if event.is_trade]
    return all(form.base and form.quote for form in trades)


def _has_fees(preset: Preset) -> bool:
    return any(event.form.pool_fee for event in preset.creations.values())


def _keyed_by_address(preset: Preset) -> bool:
    """Return whether a market's key is the address of a contract."""
    named = [(e, e.form.market) for e in preset.events.values() if e.form.market is not None]
    return all(event.argument(market).type == "address" for event, market in named)


def _address(key: str) -> str:
    return f"0x{int(key, 16):040x}"


def _fallback(sighting: Sighting) -> str:
    if not sighting.key:
        return naming.of_address(sighting.address)
    if _keyed_by_address(sighting.terms.preset):
        return naming.of_address(_address(sighting.key))
    return naming.of_key(sighting.key)
