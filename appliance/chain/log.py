"""Logs: what a node answers, as columns.

Columns, because the decoder works on whole columns; `Log` is one row for edges and tests.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Log(NamedTuple):
    """One log. `time_us` is the block's time in microseconds; hex texts begin with 0x."""

    block_number: int
    time_us: int
    transaction_hash: str
    log_index: int
    address: str
    topics: Sequence[str]
    data: str


@dataclass(frozen=True, slots=True)
class Logs:
    """Logs of one chain as columns of equal length, in any order; fields as in `Log`."""

    block_number: Sequence[int] = field(default_factory=list)
    time_us: Sequence[int] = field(default_factory=list)
    transaction_hash: Sequence[str] = field(default_factory=list)
    log_index: Sequence[int] = field(default_factory=list)
    address: Sequence[str] = field(default_factory=list)
    topics: Sequence[Sequence[str]] = field(default_factory=list)
    data: Sequence[str] = field(default_factory=list)

    def __len__(self) -> int:
        """Return the number of logs."""
        return len(self.data)

    @classmethod
    def of(cls, rows: Iterable[Log]) -> "Logs":
        """Return the columns of `rows`."""
        columns = list(zip(*rows, strict=True))
        return cls(*columns) if columns else cls()
