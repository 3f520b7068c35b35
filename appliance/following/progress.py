"""How far a backfill is, and when it will be done at the speed of the last half minute."""

import sys
from collections import deque
from collections.abc import Callable
from typing import Final

from tqdm import tqdm

_WINDOW_S: Final = 30.0
_LEAST_S: Final = 2.0
_BAR: Final = "{desc} {percentage:3.0f} % |{bar}| {elapsed}"


class Progress:
    """Blocks done between the first one and the head."""

    def __init__(self, name: str, monotonic: Callable[[], float]) -> None:
        """Draw a bar called `name`, on a terminal only."""
        self._name = name
        self._monotonic = monotonic
        self._seen: deque[tuple[float, int]] = deque()
        self._bar: tqdm[object] | None = None
        self.done = 0.0

    def update(self, first: int, block: int, head: int) -> None:
        """Note that the blocks from `first` to `block` are processed, of those up to `head`."""
        now = self._monotonic()
        self._seen.append((now, block))
        while now - self._seen[0][0] > _WINDOW_S and len(self._seen) > 2:
            self._seen.popleft()
        self.done = min(1.0, (block - first + 1) / max(1, head - first + 1))
        if self._bar is None and sys.stderr.isatty():
            self._bar = tqdm(total=1.0, desc=self._name, bar_format=_BAR)
        if self._bar is not None:
            self._bar.update(self.done - self._bar.n)

    def seconds_left(self, head: int) -> float | None:
        """Return how long the rest will take, None while nobody can say."""
        speed = self._speed()
        return None if speed is None else (head - self._seen[-1][1]) / speed

    def blocks_per_second(self) -> int | None:
        """Return the speed, None while nobody can say."""
        speed = self._speed()
        return None if speed is None else round(speed)

    def _speed(self) -> float | None:
        if not self._seen:
            return None
        (began, low), (now, high) = self._seen[0], self._seen[-1]
        if now - began < _LEAST_S or high <= low:
            return None
        return (high - low) / (now - began)

    def close(self) -> None:
        """Remove the bar; what comes next begins anew."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        self._seen.clear()


def spoken(seconds: float) -> str:
    """Return a time for people, rounded to what it is worth: `40 s`, `12 min`, `3.5 h`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5_400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3_600:.1f} h"
