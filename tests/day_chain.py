"""A piece of a real chain as a node shows it: the blocks of some logs, and empty ones between."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.fake_answers import Answers, Faults, RpcFault
from tests.fake_chain import BLOCK_S, FakeBlock, FakeChain, digest


@dataclass(frozen=True)
class DayLog:
    """A log where it really was."""

    address: str
    topics: Sequence[str]
    data: str
    block: int
    time: int
    index: int
    transaction_hash: str


@dataclass
class Day:
    """Blocks up to `head`; those without logs have times between those with some."""

    logs: list[DayLog]
    head: int
    _at: dict[int, list[DayLog]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for log in self.logs:
            self._at.setdefault(log.block, []).append(log)
        self._numbers = sorted(self._at)

    def block(self, number: int) -> FakeBlock:
        """Return a block; its hash is ours, as the file has none."""
        logs = tuple(self._at.get(number, ()))
        before = self._numbers[max(0, bisect_right(self._numbers, number) - 1)]
        time = self._at[before][0].time + BLOCK_S * (number - before)
        return FakeBlock(number, _hash(number), _hash(number - 1), time, logs)

    def between(self, first: int, last: int) -> list[DayLog]:
        """Return the logs of some blocks."""
        return [log for n in range(first, last + 1) for log in self._at.get(n, ())]


def _hash(number: int) -> str:
    # the number can be read back from it: blocks are asked for by their hash
    return digest("day")[:50] + f"{number:016x}"


class DayAnswers(Answers):
    """Answers about a day; code and views are those of `chain`."""

    def __init__(self, day: Day, chain: FakeChain) -> None:
        super().__init__(chain, Faults())
        self._day = day

    def _at(self, at: str) -> FakeBlock | None:
        number = self._day.head if at in {"latest", "finalized", "safe"} else int(at, 16)
        return self._day.block(number) if number <= self._day.head else None

    def _with_hash(self, block_hash: str) -> FakeBlock | None:
        number = int(block_hash[50:], 16)
        found = self._day.block(number)
        return found if (found.hash, number <= self._day.head) == (block_hash, True) else None

    def _state_at(self, at: str) -> int:
        block = self._at(at)
        if block is None:
            raise RpcFault(-32000, "header not found")
        return block.number

    def _eth_getLogs(self, asked: dict[str, Any]) -> object:  # noqa: N802 - a method's name
        if (block_hash := asked.get("blockHash")) is not None:
            block = self._with_hash(block_hash)
            assert block is not None
            first = last = block.number
        else:
            first, last = int(asked["fromBlock"], 16), int(asked["toBlock"], 16)
        addresses, topics = set(asked["address"]), set(asked["topics"][0])
        return [
            {
                "address": log.address,
                "topics": log.topics,
                "data": log.data,
                "blockNumber": hex(log.block),
                "blockHash": _hash(log.block),
                "blockTimestamp": hex(log.time),
                "transactionHash": log.transaction_hash,
                "transactionIndex": "0x0",
                "logIndex": hex(log.index),
                "removed": False,
            }
            for log in self._day.between(first, last)
            if log.address in addresses and log.topics[0] in topics
        ]
