"""Topics, clients, and one bounded queue for each client; knows nothing of candles.

A message is encoded and framed once for its topic and put into the queue of every subscriber.
Publishing never waits: a client whose queue is full is closed with code 4008, others notice
nothing.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from appliance.errors import TooLarge

BAD_MESSAGE: Final = 4000
SLOW: Final = 4008
TOO_MANY: Final = 4029
SHUTDOWN: Final = 1001
_BATCH_BYTES: Final = 64 << 10

Closer = Callable[[int, str], None]
Hook = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a hub; queues are bounded in bytes and in messages."""

    connections: int = 5_000
    subscriptions: int = 1_024
    topics: int = 100_000
    queue_bytes: int = 1 << 20
    queue_messages: int = 4_096


@dataclass(frozen=True, slots=True)
class Batch:
    """Frames that go out in one write, and how many messages they are."""

    data: bytes
    messages: int


class Client:
    """One connection: its topics in order of subscription, and what waits to be sent."""

    __slots__ = ("_bytes", "_close", "_queue", "_wake", "closed", "extended", "topics", "wrapped")

    def __init__(self, close: Closer, wrapped: bool) -> None:
        """Remember how to close the connection, and whether events name their stream."""
        self.topics: dict[str, None] = {}
        self.wrapped = wrapped
        self.extended = False
        """Whether it said HELLO: only then it gets events that Binance would not send."""
        self.closed: tuple[int, str] | None = None
        self._close = close
        self._queue: deque[bytes] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()

    async def take(self) -> Batch | None:
        """Wait for messages and return as many as fit one write; None once closed."""
        await self._wake.wait()
        if self.closed:
            return None
        frames, size = [], 0
        while self._queue and size < _BATCH_BYTES:
            frames.append(self._queue.popleft())
            size += len(frames[-1])
        self._bytes -= size
        if not self._queue:
            self._wake.clear()
        return Batch(b"".join(frames), len(frames))

    def _put(self, frame: bytes, limits: Limits) -> bool:
        """Queue one frame; return False when the queue is full."""
        if self.closed:
            return True
        self._bytes += len(frame)
        self._queue.append(frame)
        self._wake.set()
        return self._bytes <= limits.queue_bytes and len(self._queue) <= limits.queue_messages

    def _end(self, code: int, reason: str) -> None:
        if self.closed is None:
            self.closed = (code, reason)
            self._queue.clear()
            self._bytes = 0
            self._wake.set()
            self._close(code, reason)


class Hub:
    """All clients and the topics they watch."""

    def __init__(self, limits: Limits | None = None) -> None:
        """Start without clients."""
        self.limits = limits or Limits()
        self._clients: set[Client] = set()
        self._topics: dict[str, dict[Client, None]] = {}
        self._opened: Hook = _ignore
        self._emptied: Hook = _ignore

    def on_watch(self, opened: Hook, emptied: Hook) -> None:
        """Call `opened` with a topic's first subscriber, `emptied` when the last one left."""
        self._opened = opened
        self._emptied = emptied

    @property
    def connections(self) -> int:
        """Return the number of connected clients."""
        return len(self._clients)

    @property
    def topics(self) -> int:
        """Return the number of topics that somebody watches."""
        return len(self._topics)

    def connect(self, close: Closer, wrapped: bool = False) -> Client:
        """Add a client; `close(code, reason)` is called at most once, if the hub closes it.

        Raises:
            TooLarge: there are too many connections.
        """
        if len(self._clients) >= self.limits.connections:
            raise TooLarge(f"too many connections, at most {self.limits.connections:,}")
        client = Client(close, wrapped)
        self._clients.add(client)
        return client

    def disconnect(self, client: Client) -> None:
        """Forget a client whose connection ended; twice does no harm."""
        self._clients.discard(client)
        for topic in list(client.topics):
            self.unsubscribe(client, topic)

    def close(self, client: Client, code: int, reason: str) -> None:
        """Close a client's connection: nothing that waits in its queue is sent."""
        client._end(code, reason)
        self.disconnect(client)

    def drop_slow(self, client: Client) -> None:
        """Close a client that does not read."""
        self.close(client, SLOW, "slow")

    def close_all(self, code: int, reason: str) -> None:
        """Close every connection."""
        for client in list(self._clients):
            self.close(client, code, reason)

    def subscribe(self, client: Client, topic: str) -> bool:
        """Subscribe a client; return False if it was subscribed already.

        Raises:
            TooLarge: the client has too many subscriptions, or the hub too many topics.
        """
        if topic in client.topics:
            return False
        if len(client.topics) >= self.limits.subscriptions:
            raise TooLarge(f"too many subscriptions, at most {self.limits.subscriptions:,}")
        watchers = self._topics.get(topic)
        if watchers is None and len(self._topics) >= self.limits.topics:
            raise TooLarge(f"too many different streams, at most {self.limits.topics:,}")
        client.topics[topic] = None
        self._topics.setdefault(topic, {})[client] = None
        if watchers is None:
            self._opened(topic)
        return True

    def unsubscribe(self, client: Client, topic: str) -> bool:
        """End a subscription; return False if there was none."""
        if topic not in client.topics:
            return False
        del client.topics[topic]
        watchers = self._topics[topic]
        del watchers[client]
        if not watchers:
            del self._topics[topic]
            self._emptied(topic)
        return True

    def publish(self, topic: str, payloads: Iterable[bytes], *, extended: bool = False) -> None:
        """Queue events of a topic, in order, for all its subscribers; never waits.

        `extended` events go only to clients that said HELLO.
        """
        watchers = self._topics.get(topic)
        if not watchers:
            return
        full = set()
        for payload in payloads:
            message = Message(topic, payload)
            for client in watchers:
                if extended and not client.extended:
                    continue
                if not client._put(message.frame(client.wrapped), self.limits):
                    full.add(client)
            if full:
                full = self._drop(full)
                if not watchers:
                    return

    def send(self, client: Client, payload: bytes, topic: str = "") -> None:
        """Queue a payload for one client: an event of `topic`, or an answer if that is empty."""
        frame = Message(topic, payload).frame(client.wrapped and bool(topic))
        if not client._put(frame, self.limits):
            self._drop({client})

    def _drop(self, full: Iterable[Client]) -> set[Client]:
        for client in full:
            self.drop_slow(client)
        return set()


class Message:
    """One event, framed at most once for each of the two forms."""

    __slots__ = ("_frames", "_payload", "_topic")

    def __init__(self, topic: str, payload: bytes) -> None:
        """Keep the event's JSON; nothing is framed before somebody wants it."""
        self._topic = topic
        self._payload = payload
        self._frames: dict[bool, bytes] = {}

    def frame(self, wrapped: bool) -> bytes:
        """Return the WebSocket frame, of `{"stream","data"}` if `wrapped`."""
        found = self._frames.get(wrapped)
        if found is None:
            text = self._payload
            if wrapped:
                text = b'{"stream":"%s","data":%s}' % (self._topic.encode(), text)
            found = self._frames[wrapped] = text_frame(text)
        return found


def text_frame(text: bytes) -> bytes:
    """Return `text` as one unmasked WebSocket text frame, as servers send it (RFC 6455, 5.2)."""
    size = len(text)
    if size < 126:
        header = bytes((0x81, size))
    elif size < 1 << 16:
        header = b"\x81\x7e" + size.to_bytes(2, "big")
    else:
        header = b"\x81\x7f" + size.to_bytes(8, "big")
    return header + text


def _ignore(topic: str) -> None:
    """Do nothing: nobody asked to be told."""
