"""Width: how many blocks one question for logs spans, learnt from what the node answers."""

from typing import Final

from appliance.rpc.errors import RangeTooWide, RpcError, TooManyResults

LOGS_WANTED: Final = 4_000
"""Logs in one answer: enough to make its cost small, few enough to read without a pause."""
FIRST: Final = 64
WIDEST: Final = 200_000
_GROWTH: Final = 2.0
_PATIENCE: Final = 32
"""Answers in a row after which a width that was refused is tried again, by a tenth more."""


class Width:
    """Begins modestly, grows while answers are small, and obeys what a refusal says."""

    def __init__(self, first: int = FIRST) -> None:
        """Start with `first` blocks."""
        self.blocks = first
        self._limit = WIDEST
        self._answers = 0

    def answered(self, blocks: int, logs: int) -> None:
        """Learn from an answer of `logs` to a question about `blocks`."""
        self._answers += 1
        if self._answers % _PATIENCE == 0 and self._limit < WIDEST:
            self._limit += max(1, self._limit // 10)
        factor = min(_GROWTH, max(0.25, LOGS_WANTED / max(1, logs)))
        if blocks >= self.blocks or factor < 1:
            self.blocks = max(1, min(self._limit, int(blocks * factor)))

    def refused(self, first: int, last: int, error: RpcError) -> int:
        """Learn from a refusal of blocks `first` to `last`; return how many to ask for instead."""
        blocks = last - first + 1
        width = max(1, blocks // 2)
        if isinstance(error, RangeTooWide | TooManyResults) and error.span is not None:
            start, end = error.span
            if start <= first <= end < last:
                width = end - first + 1
        if isinstance(error, RangeTooWide):
            if error.width is not None and 0 < error.width < blocks:
                width = error.width
            self._limit = width
            self._answers = 0
        self.blocks = max(1, min(self.blocks, width))
        return max(1, min(width, blocks - 1))
