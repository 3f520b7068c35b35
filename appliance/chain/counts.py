"""Counts: what became of the logs that were read."""

from dataclasses import dataclass, field
from typing import Final

from appliance.model import LOG_INDEX_BITS, Mark

_EXAMPLES: Final = 5


@dataclass(frozen=True, slots=True)
class Malformed:
    """A log of a believed contract that does not hold what its event promises."""

    block_number: int
    log_index: int
    transaction_hash: str
    event: str
    reason: str


@dataclass(slots=True)
class Counts:
    """Numbers of logs: every log is exactly one of these.

    decoded: became a row or a mark. ignored: an event that the preset does not name, or one it
    skips. foreign: of a contract that is not believed. malformed: named in `examples`, the
    first few.
    """

    decoded: int = 0
    ignored: int = 0
    foreign: int = 0
    malformed: int = 0
    examples: list[Malformed] = field(default_factory=list)

    def add_malformed(self, example: Malformed) -> None:
        """Count a malformed log, and keep it while there are few."""
        self.malformed += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(example)

    def add(self, other: "Counts") -> None:
        """Add what became of other logs."""
        self.decoded += other.decoded
        self.ignored += other.ignored
        self.foreign += other.foreign
        for example in other.examples:
            self.add_malformed(example)
        self.malformed += other.malformed - len(other.examples)


@dataclass(frozen=True, slots=True)
class ChainMark:
    """An event that is worth a mark on the chart: `kind` funding, `value` its rate."""

    market: int
    time_us: int
    sequence: int
    kind: str
    value: float
    transaction_hash: str

    def stored(self, chain_id: int) -> Mark:
        """Return the mark as the store takes it, on a chain."""
        return Mark(
            *(self.market, self.time_us, self.sequence, self.kind, self.value),
            label=self.transaction_hash,
            chain_id=chain_id,
            block_number=self.sequence >> LOG_INDEX_BITS,
        )
