"""A chain in memory: blocks that link by hash, with times, blooms and logs, and reorganisations."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from eth_hash.auto import keccak

START_TIME = 1_700_000_000
BLOCK_S = 12


class HasLog(Protocol):
    """What a log is made of; `appliance.chain.log.Log` is one, and so is `FakeLog`."""

    @property
    def address(self) -> str: ...
    @property
    def topics(self) -> Sequence[str]: ...
    @property
    def data(self) -> str: ...


@dataclass(frozen=True)
class FakeLog:
    address: str
    topics: Sequence[str] = ()
    data: str = "0x"


@dataclass(frozen=True)
class FakeBlock:
    number: int
    hash: str
    parent_hash: str
    time: int
    logs: tuple[HasLog, ...] = ()

    @property
    def bloom(self) -> bytes:
        """Return the bloom filter over the addresses and topics of the logs."""
        bits = 0
        for log in self.logs:
            for value in (log.address, *log.topics):
                bits |= bloom_bits(value)
        return bits.to_bytes(256)

    def transaction_hash(self, index: int) -> str:
        """Return the hash of the transaction of log `index`; every log has its own."""
        return digest(self.hash, "transaction", index)


@dataclass(repr=False)
class FakeChain:
    """Block 0 is there from the start. Mining is deterministic; a reorg makes other hashes."""

    chain_id: int = 31337
    finality: int = 64
    """How many blocks the finalized one lies below the head."""
    blocks: list[FakeBlock] = field(default_factory=list)
    codes: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Address → code, and the first block that has it."""
    answers: dict[tuple[str, str], str] = field(default_factory=dict)
    """(address, call data) → what eth_call returns; other calls are reverted."""
    listeners: list[Callable[[FakeBlock], None]] = field(default_factory=list)
    """Called with every new block."""
    _forks: int = 0

    def __post_init__(self) -> None:
        if not self.blocks:
            self.blocks = [
                FakeBlock(0, digest("genesis", self.chain_id), "0x" + "0" * 64, START_TIME)
            ]

    @property
    def head(self) -> FakeBlock:
        return self.blocks[-1]

    @property
    def finalized(self) -> FakeBlock:
        return self.blocks[max(0, len(self.blocks) - 1 - self.finality)]

    def block(self, block_hash: str) -> FakeBlock | None:
        """Return the block of the present chain with this hash."""
        return next((block for block in reversed(self.blocks) if block.hash == block_hash), None)

    def mine(self, logs: Iterable[HasLog] = (), time: int | None = None) -> FakeBlock:
        """Add one block with `logs`; its time is 12 seconds after its parent's unless given."""
        block = self._after(self.head, logs, time)
        self.blocks.append(block)
        self._tell([block])
        return block

    def mine_empty(self, count: int) -> FakeBlock:
        """Add `count` blocks without logs; return the head."""
        for _ in range(count):
            self.mine()
        return self.head

    def reorg(self, depth: int, *blocks: Iterable[HasLog]) -> list[FakeBlock]:
        """Replace the last `depth` blocks by `blocks`, each given as its logs; return these.

        Without any, the same number of empty ones and one more: the longer chain wins.
        """
        self._forks += 1
        kept = self.blocks[: len(self.blocks) - depth]
        made: list[FakeBlock] = []
        for logs in blocks or [()] * (depth + 1):
            made.append(self._after((kept + made)[-1], logs, None))
        self.blocks = kept + made  # at once: a server in another thread may be reading
        self._tell(made)
        return made

    def deploy(self, address: str, code: str = "0x6001", at: int | None = None) -> None:
        """Put `code` at `address`, from block `at` (the head unless given)."""
        self.codes[address.lower()] = (code, self.head.number if at is None else at)

    def answer(self, to: str, data: str, result: str) -> None:
        """Let eth_call with exactly this data return `result`."""
        self.answers[to.lower(), data.lower()] = result

    def _after(self, parent: FakeBlock, logs: Iterable[HasLog], time: int | None) -> FakeBlock:
        number = parent.number + 1
        found = digest(parent.hash, number, self._forks)
        return FakeBlock(
            number, found, parent.hash, parent.time + BLOCK_S if time is None else time, tuple(logs)
        )

    def _tell(self, blocks: Iterable[FakeBlock]) -> None:
        for block in blocks:
            for listener in tuple(self.listeners):
                listener(block)


def digest(*parts: object) -> str:
    """Return 0x and 64 hex digits that depend on `parts` only."""
    return "0x" + hashlib.sha256(repr(parts).encode()).hexdigest()


@lru_cache(65_536)
def bloom_bits(value: str) -> int:
    """Return the three bits (of 2048) by which an address or a topic shows in a bloom."""
    found = keccak(bytes.fromhex(value[2:]))
    bits = 0
    for i in (0, 2, 4):
        bits |= 1 << (int.from_bytes(found[i : i + 2]) & 2047)
    return bits
