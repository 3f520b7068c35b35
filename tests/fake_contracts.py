"""Contracts that answer calls, as a node shows them; for tests of what is asked of contracts."""

import asyncio
from typing import Any

from eth_abi.abi import encode

from appliance.following.views import selector
from appliance.rpc.errors import Rejected, Unavailable


class Contracts:
    """A node with contracts that answer views with what was put there, and refuse all others."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], bytes] = {}
        self.deployed: set[str] = set()
        self.calls: list[tuple[str, str]] = []
        self.down_after: int | None = None
        self.head = 10**9
        self.silent = False
        """Whether views that are not there answer nothing, where others revert."""

    def put(self, address: str, **views: Any) -> None:
        """Deploy a contract; texts become strings, numbers words, bytes stay as they are."""
        self.deployed.add(address)
        for name, value in views.items():
            self.answers[address, selector(f"{name}()")] = _encoded(value)

    def token(self, address: str, symbol: str, decimals: int = 18, name: str = "") -> None:
        self.put(address, symbol=symbol, decimals=decimals, name=name or f"{symbol} token")

    def asked(self, address: str, view: str) -> int:
        """Return how often a view was asked for."""
        return self.calls.count((address, selector(f"{view}()")))

    async def eth_call(self, to: str, data: str, at: int | str = "latest") -> str:
        assert at == "latest"
        self._answering()
        self.calls.append((to, data))
        await asyncio.sleep(0)  # others go on meanwhile, as on a network
        answer = self.answers.get((to, data))
        if answer is None and not self.silent and to in self.deployed:
            raise Rejected("execution reverted")
        return "0x" + (answer or b"").hex()

    async def code(self, address: str, at: int | str) -> str:
        assert at == "latest"
        self._answering()
        return "0x60" if address in self.deployed else "0x"

    async def header(self, at: int | str) -> object | None:
        self._answering()
        assert isinstance(at, int)
        return object() if at <= self.head else None

    def _answering(self) -> None:
        if self.down_after is not None:
            if self.down_after <= 0:
                raise Unavailable("node.example: no connection")
            self.down_after -= 1


def _encoded(value: str | int | bytes) -> bytes:
    if isinstance(value, bytes):
        return value
    return encode(["string" if isinstance(value, str) else "uint256"], [value])
