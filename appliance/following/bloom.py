"""Blooms: whether a block may hold logs of given contracts, as its header says.

A header's bloom has 2,048 bits; every address and topic of the block's logs sets three of them
(Ethereum yellow paper, §4.3.1). Bits that are missing prove that there is no such log; bits that
are there prove little in a full block and nearly everything in an empty one.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from eth_hash.auto import keccak

from appliance.rpc.records import LogRecord

BITS: Final = 2_048
_BITS_EACH: Final = 3


@lru_cache(maxsize=100_000)
def mask(text: str) -> int:
    """Return the bits that an address or topic, as 0x and hex digits, sets."""
    digest = keccak(bytes.fromhex(text.removeprefix("0x")))
    bits = 0
    for at in range(0, 2 * _BITS_EACH, 2):
        bits |= 1 << (int.from_bytes(digest[at : at + 2], "big") % BITS)
    return bits


def bloom_of(logs: Iterable[LogRecord]) -> bytes:
    """Return the bloom of a block with exactly these logs."""
    bits = 0
    for text in {text for log in logs for text in (log.address, *log.topics)}:
        bits |= mask(text)
    return bits.to_bytes(BITS // 8, "big")


class Question:
    """Whether logs with one of some addresses and one of some topics may be in a block."""

    def __init__(self, addresses: Sequence[str], topics: Sequence[str]) -> None:
        """Prepare the bits; no addresses means any."""
        self._addresses = [mask(address) for address in addresses]
        self._topics = [mask(topic) for topic in topics]

    def may_hold(self, bloom: bytes) -> bool:
        """Return whether a block with this bloom may hold such a log; False is a proof."""
        bits = int.from_bytes(bloom, "big")
        any_address = not self._addresses or any(m & bits == m for m in self._addresses)
        return any_address and any(m & bits == m for m in self._topics)

    def doubt(self, bloom: bytes) -> float:
        """Return how likely a block without such logs has the bits all the same, 0 to 1."""
        share = int.from_bytes(bloom, "big").bit_count() / BITS
        one = share**_BITS_EACH
        of_addresses = 1 - (1 - one) ** len(self._addresses) if self._addresses else 1.0
        return of_addresses * (1 - (1 - one) ** len(self._topics))
