"""Counts: what became of the logs that were read."""

from dataclasses import dataclass, field
from typing import Final

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


@dataclass(frozen=True, slots=True)
class ChainMark:
    """An event that is worth a mark on the chart: `kind` funding, `value` its rate."""

    market: int
    time_us: int
    sequence: int
    kind: str
    value: float
    transaction_hash: str
