"""Tokens: symbol, name and decimals of ERC-20 contracts, each asked once.

Old tokens answer `bytes32` where new ones answer `string`, some answer neither, and hostile ones
answer anything; a fallback is only taken when a node said so, never because a node was down.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from appliance.following import naming
from appliance.following.views import (
    ZERO,
    Node,
    must_know,
    number_in,
    text_in,
    view,
)

log = logging.getLogger(__name__)
USUAL_DECIMALS: Final = 18
_MOST_DECIMALS: Final = 77  # 10^77 is the largest power of ten below 2^256
_COINS: Final = {
    56: "BNB",
    100: "XDAI",
    137: "POL",
    146: "S",
    250: "FTM",
    5_000: "MNT",
    43_114: "AVAX",
    42_220: "CELO",
    80_094: "BERA",
    999: "HYPE",
}
"""What chains call the coin that pays for their transactions, where it is not ETH."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token; `symbol` is canonical and never empty, `name` for people."""

    address: str
    symbol: str
    name: str
    decimals: int


class Tokens:
    """The tokens of one chain."""

    def __init__(self, chain_id: int) -> None:
        """Know only the chain's own coin, which pools of Uniswap v4 hold at address zero."""
        coin = _COINS.get(chain_id, "ETH")
        self._known = {ZERO: Token(ZERO, coin, coin, USUAL_DECIMALS)}
        self._asking: dict[str, asyncio.Lock] = {}

    async def read(self, node: Node, address: str, at: int = 0) -> Token:
        """Return the token at `address`; the node must know block `at` (0: any will do).

        Raises:
            RpcError: the node failed, or does not know the block; nothing is remembered.
        """
        address = address.lower()
        if address not in self._known:
            async with self._asking.setdefault(address, asyncio.Lock()):
                if address not in self._known:  # who waited finds what the first one asked
                    self._known[address] = await self._asked(node, address, at)
            self._asking.pop(address, None)
        return self._known[address]

    async def _asked(self, node: Node, address: str, at: int) -> Token:
        symbol, name, decimals = [
            await view(node, address, function) for function in ("symbol()", "name()", "decimals()")
        ]
        if not (symbol or name or decimals):
            await must_know(node, at)
        label = naming.label(text_in(name))
        found = naming.asset(text_in(symbol)) or naming.asset(label) or naming.of_address(address)
        return Token(address, found, label or found, _decimals(address, found, decimals))


def _decimals(address: str, symbol: str, answer: bytes) -> int:
    decimals = number_in(answer)
    if decimals is not None and decimals <= _MOST_DECIMALS:
        return decimals
    said = "nothing" if decimals is None else f"{decimals:.6g}"
    log.warning(
        "token %s (%s): decimals() must answer 0 to %d, answered %s; %d are assumed, and its "
        "prices may be wrong by a power of ten",
        *(address, symbol, _MOST_DECIMALS, said, USUAL_DECIMALS),
    )
    return USUAL_DECIMALS
