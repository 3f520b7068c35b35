"""One endpoint: typed questions to one node, and answers that were checked against them.

In: block numbers, addresses, topics. Out: headers, logs, texts; or an RpcError whose message names
the endpoint by host and port. An answer that does not fit the question is Nonsense and is never
returned: a header of another block, a log outside the range or the block, of another address or
event. That logs are complete cannot be seen here: nodes do answer [] for blocks that have some.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

import msgspec

from appliance.metrics import Metrics
from appliance.rpc.errors import Missing, RangeTooWide, Rejected, TooManyResults
from appliance.rpc.line import GET_LOGS, Line
from appliance.rpc.rate import Rate, Waiting
from appliance.rpc.records import Header, LogRecord, read_header, read_logs
from appliance.rpc.together import together

T = TypeVar("T")
_GET_HEADER: Final = "eth_getBlockByNumber"


class Endpoint:
    """One endpoint; `head` is the newest block it is known to have."""

    def __init__(
        self,
        url: str,
        name: str,
        metrics: Metrics,
        timeout_s: float = 30.0,
        waiting: Waiting | None = None,
    ) -> None:
        """`name` stands for the URL, which holds keys, in everything that is shown."""
        self.name = name
        self.head = 0
        self._line = Line(url, name, metrics, timeout_s, waiting)
        self._batch = self._line.limits.batch

    def __repr__(self) -> str:
        return f"Endpoint({self.name!r})"

    @property
    def latency_s(self) -> float:
        """Return how long small questions take, 0.0 before the first."""
        return self._line.latency_s

    @property
    def rate(self) -> Rate:
        """Return the rate at which this endpoint is asked."""
        return self._line.rate

    async def open(self) -> None:
        """Make the session; nothing is sent yet."""
        await self._line.open()

    async def close(self) -> None:
        """Close the connections. Calling it again does nothing."""
        await self._line.close()

    async def call(self, method: str, params: Sequence[object], type: type[T]) -> T:
        """Return the result of any method as a `type` that msgspec knows; null is Nonsense."""
        found = await self._line.ask(
            method, params, lambda raw: msgspec.json.decode(raw, type=type)
        )
        if found is None:
            raise self._line.nonsense(f"{method} must have a result, was null")
        return found

    async def chain_id(self) -> int:
        """Return the chain this endpoint is on."""
        found = await self.call("eth_chainId", [], str)
        try:
            return int(found, 16)
        except ValueError:
            raise self._line.nonsense("a chain id must be a number in hex, was not") from None

    async def header(self, at: int | str) -> Header | None:
        """Return the header of a number, "latest" or "finalized"; None if the node knows none."""
        try:
            found = await self._line.ask(_GET_HEADER, [_tag(at), False], read_header)
        except Missing:
            found = None
        except Rejected:
            if at not in {"finalized", "safe"}:  # younger words, which some nodes do not know
                raise
            found = None
        if found is not None:
            self._take(found, at)
        elif at == "latest":
            raise self._line.nonsense("there must be a latest header, was none")
        return found

    async def headers(self, numbers: Sequence[int]) -> list[Header]:
        """Return the headers of `numbers`, in their order. Raise Missing when there is not each.

        They are asked for in batches. Where batches are refused they become smaller, and at last
        single calls, and stay so.
        """
        found: list[Header] = []
        while len(found) < len(numbers):
            rest = numbers[len(found) :]
            if self._batch == 1:
                return found + await together([self._header_there(number) for number in rest])
            chunk = rest[: self._batch]
            try:
                found += await self._batch_of(chunk)
            except (Rejected, TooManyResults, RangeTooWide):
                self._batch = max(1, min(self._batch, len(chunk)) // 2)
        return found

    async def logs(
        self, first: int, last: int, addresses: Sequence[str], topics: Sequence[str]
    ) -> list[LogRecord]:
        """Return the logs of blocks `first` to `last`, both included, in the node's order.

        Without `addresses` those of any contract, without `topics` any event; `topics` are
        alternatives for topic 0. Advice in RangeTooWide and TooManyResults is kept only where it
        is narrower than what was asked. `removed` logs are not left out.
        """
        asked = {"fromBlock": hex(first), "toBlock": hex(last)} | _filter(addresses, topics)
        try:
            found = await self._logs(asked, addresses, topics)
        except RangeTooWide as error:
            wide = error.width is not None and error.width > last - first
            error.width = None if wide else error.width
            error.span = _within(error.span, first, last)
            raise
        except TooManyResults as error:
            error.span = _within(error.span, first, last)
            raise
        if any(not first <= log.block_number <= last for log in found):
            raise self._line.nonsense(f"logs must be of blocks {first} to {last}, were not all")
        return found

    async def block_logs(
        self, block_hash: str, addresses: Sequence[str], topics: Sequence[str]
    ) -> list[LogRecord]:
        """Return the logs of the block with this hash. Raise Missing when the node lacks it."""
        wanted = block_hash.lower()
        asked = {"blockHash": wanted} | _filter(addresses, topics)
        found = await self._logs(asked, addresses, topics)
        if any(log.block_hash != wanted for log in found):
            raise self._line.nonsense(f"logs must be of block {wanted}, were not all")
        return found

    async def eth_call(self, to: str, data: str, at: int | str = "latest") -> str:
        """Return what a contract's view returns. Raise Rejected when the call is reverted."""
        return await self.call("eth_call", [{"to": to, "data": data}, _tag(at)], str)

    async def code(self, address: str, at: int | str = "latest") -> str:
        """Return the code at `address` as of block `at`; "0x" when there is none."""
        return await self.call("eth_getCode", [address, _tag(at)], str)

    async def _header_there(self, number: int) -> Header:
        found = await self.header(number)
        if found is None:
            raise self._lacks(number)
        return found

    async def _batch_of(self, numbers: Sequence[int]) -> list[Header]:
        asked = [[hex(number), False] for number in numbers]
        there = []
        for found, number in zip(
            await self._line.ask_many(_GET_HEADER, asked, read_header), numbers, strict=True
        ):
            if found is None:
                raise self._lacks(number)
            self._take(found, number)
            there.append(found)
        return there

    def _take(self, found: Header, at: int | str) -> None:
        """Check a header against the question, and learn from it how far the node is."""
        if isinstance(at, int) and found.number != at:
            raise self._line.nonsense(f"the header must be of block {at}, was of {found.number}")
        self.head = found.number if at == "latest" else max(self.head, found.number)

    def _lacks(self, number: int) -> Missing:
        return Missing(f"{self.name}: has no block {number}")

    async def _logs(
        self, asked: dict[str, Any], addresses: Sequence[str], topics: Sequence[str]
    ) -> list[LogRecord]:
        """Return logs, and refuse those that the filter should have kept away."""
        found = await self._line.ask(GET_LOGS, [asked], read_logs)
        if found is None:
            raise self._line.nonsense("logs must be a list, were null")
        known = {address.lower() for address in addresses}
        if known and any(log.address not in known for log in found):
            raise self._line.nonsense("logs must be of the addresses asked for, were not all")
        wanted = {topic.lower() for topic in topics}
        if wanted and any(not log.topics or log.topics[0] not in wanted for log in found):
            raise self._line.nonsense("logs must be of the events asked for, were not all")
        return found


def _filter(addresses: Sequence[str], topics: Sequence[str]) -> dict[str, Any]:
    asked: dict[str, Any] = {"address": list(addresses)} if addresses else {}
    return asked | ({"topics": [list(topics)]} if topics else {})


def _tag(at: int | str) -> str:
    return at if isinstance(at, str) else hex(at)


def _within(span: tuple[int, int] | None, first: int, last: int) -> tuple[int, int] | None:
    """Return the span that a node proposes where following it makes progress, else None."""
    return span if span and span[0] == first and span[1] < last else None
