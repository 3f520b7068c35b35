"""One connection: the topics it watches, and what waits to be sent to it."""

from collections.abc import Hashable
from typing import Protocol

from appliance.streaming.limits import Allowance, Limits
from appliance.streaming.message import Form, Message


class Sink(Protocol):
    """Where a client's bytes go; nothing here waits."""

    heard_at: float
    """When the other side was last heard, by the monotonic clock."""

    @property
    def is_writable(self) -> bool:
        """Return whether what is written now would soon be on its way."""
        ...

    def write(self, data: bytes) -> None:
        """Send bytes that are framed already."""
        ...

    def beat(self) -> None:
        """Show that this side lives, and ask the other side to do the same."""
        ...

    def end(self, code: int, reason: str) -> None:
        """Close the connection, at once and without waiting."""
        ...


class Client:
    """What the hub knows of a connection."""

    __slots__ = (
        *("beat_at", "blocked_at", "closed", "ends_at", "form", "is_waiting"),
        *("queue", "queued", "requests", "sink", "topics"),
    )

    def __init__(self, sink: Sink, form: Form, limits: Limits) -> None:
        """Watch nothing yet."""
        self.sink = sink
        self.form = form
        self.topics: dict[str, None] = {}
        self.requests = Allowance(limits.requests_per_s, limits.requests_at_once)
        self.queue: dict[Hashable, Message] = {}
        """What waits, in order; a state stands where its newest value was put."""
        self.queued = 0
        """The bytes of it, about."""
        self.is_waiting = False
        """Whether somebody will look at the queue."""
        self.blocked_at: float | None = None
        """Since when nothing can be written; None while it can."""
        self.closed: tuple[int, str] | None = None
        self.beat_at = self.ends_at = 0.0

    def put(self, message: Message) -> bool:
        """Queue a message; return whether it took the place of an older state."""
        queue, key = self.queue, message.key
        older = queue.pop(key, None) if queue else None
        queue[key] = message
        self.queued += message.size
        if older is None:
            return False
        self.queued -= older.size
        return True

    def take(self, most: int) -> tuple[bytes, int]:
        """Remove what waits, not much more than `most` bytes of it; return it and its count."""
        queue = self.queue
        if self.queued <= most:
            form = self.form
            frames = [message.frames[form] or message.frame(form) for message in queue.values()]
            queue.clear()
            self.queued = 0
            return b"".join(frames), len(frames)
        frames, size = [], 0
        while queue and size < most:
            message = queue.pop(next(iter(queue)))
            self.queued -= message.size
            frames.append(message.frame(self.form))
            size += len(frames[-1])
        return b"".join(frames), len(frames)
