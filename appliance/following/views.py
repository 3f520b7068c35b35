"""Views: what a contract answers when asked, as bytes, and what the bytes may mean.

A contract that lacks a function, reverts or answers garbage has said nothing, which is an answer;
a node that fails has not, and its error goes up.
"""

from functools import cache
from typing import Final, Protocol

from appliance.rpc.errors import Missing, Nonsense, Rejected

ZERO: Final = "0x" + 40 * "0"
WORD: Final = 32
_LONGEST_DIGITS: Final = 2 + 2 * 4_096
"""Nothing that is asked for is longer; a hostile contract may answer megabytes."""


class Node(Protocol):
    """What is asked of an endpoint (`rpc/endpoint.py`); every failure of the node is raised."""

    async def eth_call(self, to: str, data: str, at: int | str = "latest") -> str:
        """Return what the contract answers, as 0x and digits."""
        ...

    async def code(self, address: str, at: int | str) -> str:
        """Return the contract's code, 0x where there is none."""
        ...

    async def header(self, at: int | str) -> object | None:
        """Return a block's header, None where the node does not know the block."""
        ...


@cache
def selector(function: str) -> str:
    """Return the first four bytes of the hash of `name()`, by which calls name a function."""
    from eth_hash.auto import keccak  # 20 ms that a start without a chain does not pay

    return "0x" + keccak(function.encode()).hex()[:8]


async def view(node: Node, contract: str, function: str) -> bytes:
    """Return what `function`, like `symbol()`, answers in the newest block; empty for nothing.

    Raises:
        RpcError: the node failed, which says nothing of the contract.
    """
    try:
        answer = await node.eth_call(contract, selector(function))
    except Rejected:
        return b""
    try:
        return bytes.fromhex(answer[2:_LONGEST_DIGITS])
    except ValueError:
        raise Nonsense(f"eth_call must answer hexadecimal digits, was {answer[:20]!r}") from None


async def has_code(node: Node, address: str) -> bool:
    """Return whether a contract is at `address`."""
    return len(await node.code(address, "latest")) > len("0x")


async def must_know(node: Node, block: int) -> None:
    """Check that the node has seen `block`: before, silence of a contract means nothing.

    Raises:
        Missing: it has not.
    """
    if block and await node.header(block) is None:
        raise Missing(f"block {block} must be known to the node that is asked about its contracts")


def text_in(answer: bytes) -> str:
    """Return the text of a `string` or `bytes32` answer, empty where it holds none."""
    if len(answer) == WORD:
        return _decoded(answer)
    start = number_in(answer)
    if start is None or start + WORD > len(answer):
        return ""
    length = int.from_bytes(answer[start : start + WORD])
    return _decoded(answer[start + WORD : start + WORD + length])


def _decoded(text: bytes) -> str:
    return text.rstrip(b"\0").decode("utf-8", "ignore")


def number_in(answer: bytes) -> int | None:
    """Return the number that an answer begins with, None where it is too short for one."""
    return int.from_bytes(answer[:WORD]) if len(answer) >= WORD else None


def address_of(answer: bytes) -> str:
    """Return the address that an answer is, empty where it is none."""
    number = number_in(answer)
    return f"0x{number:040x}" if number is not None and 0 < number < 2**160 else ""
