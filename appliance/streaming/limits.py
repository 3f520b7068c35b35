"""The bounds of streaming, and the codes with which connections are closed."""

import time
from dataclasses import dataclass
from typing import Final

SHUTDOWN: Final = 1001
BAD_MESSAGE: Final = 4000
SLOW: Final = 4008
TOO_MANY: Final = 4029


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a hub; queues and histories are bounded in bytes and in messages."""

    connections: int = 5_000
    subscriptions: int = 1_024
    """Of one client."""
    intervals: int = 32
    """Of one market for one client."""
    topics: int = 20_000
    """All streams that are followed, those included that nobody watches any more."""
    unusual: int = 1_000
    """Of them those of intervals that no menu offers, like 7m: any number could be made up."""
    queue_bytes: int = 1 << 20
    queue_messages: int = 4_096
    batch_bytes: int = 64 << 10
    """Most of one write: what is handed over can no longer be replaced by something newer."""
    history_bytes: int = 64 << 20
    """Of all topics together; each may keep an equal part, but no more than a megabyte."""
    history_messages: int = 1_000
    """Of one topic."""
    linger_s: float = 120.0
    """How long a topic is followed after its last client left, for those who come back."""
    lingering: int = 2_000
    """Most topics that are followed so."""
    spacing_s: float = 0.05
    """From one write to a client to the next: what happens meanwhile goes out together."""
    beat_s: float = 20.0
    silence_s: float = 60.0
    """After which a client that answers no ping is closed."""
    stuck_s: float = 60.0
    """After which a client that takes nothing is closed."""
    lifetime_s: float = 86_400.0
    """After which a connection is closed, so that each is made anew now and then."""
    requests_per_s: float = 20.0
    requests_at_once: int = 200


class Allowance:
    """So many at once, and so many more each second."""

    __slots__ = ("_at", "_left", "_most", "_rate")

    def __init__(self, rate: float, most: int) -> None:
        """Begin with all of it."""
        self._rate, self._most = rate, most
        self._left, self._at = float(most), 0.0

    def take(self, now: float | None = None) -> bool:
        """Return whether one more is allowed now."""
        now = time.monotonic() if now is None else now
        self._left = min(self._most, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
