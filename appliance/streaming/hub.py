"""Topics, clients, and what is on its way from the ones to the others; knows nothing of candles.

A message is encoded once for its topic and framed once for each form in which clients are sent it.
What happens within a few hundredths of a second goes to a client in one write, and of what goes on
changing only the newest state. Publishing never waits: a client that takes too little is sent
fewer states, and is closed with code 4008 when even the rest is too much; others notice nothing.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final

from appliance.errors import BadRequest, TooLarge
from appliance.interval import OFFERED
from appliance.metrics import Metrics
from appliance.streaming.client import Client, Sink
from appliance.streaming.limits import SHUTDOWN, SLOW, TOO_MANY, Limits
from appliance.streaming.message import EXTENDED, Event, Form, Message
from appliance.streaming.topic import Record, Topic

_CHECK_S: Final = 1.0
_AT_ONCE: Final = 256
"""Clients that are written to before others get their turn on the event loop."""
_HISTORY_MAX: Final = 1 << 20
Hook = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Position:
    """Where a reader was: number `u` of a topic, or a `place` among the events of all."""

    epoch: str
    u: int | None = None
    place: int | None = None


class Hub:
    """All clients and the topics they watch."""

    def __init__(
        self,
        metrics: Metrics,
        epoch: str = "",
        limits: Limits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Start without clients; `epoch` names this run, in which all numbers hold."""
        self.limits = limits or Limits()
        self.epoch = epoch
        self._metrics = metrics
        self._monotonic = monotonic
        self._chance = chance
        self._clients: set[Client] = set()
        self._topics: dict[str, Topic] = {}
        self._left: dict[str, None] = {}
        self._place = 0
        self._waiting: deque[Client] = deque()
        self._is_scheduled = False
        self._next_at = 0.0
        self._messages = self._writes = self._replaced = 0
        self._unusual: set[str] = set()
        self._opened: Hook = _ignore
        self._emptied: Hook = _ignore

    def on_watch(self, opened: Hook, emptied: Hook) -> None:
        """Call `opened` with a topic that must be followed, `emptied` when it need not any more."""
        self._opened = opened
        self._emptied = emptied

    @property
    def connections(self) -> int:
        """Return the number of connected clients."""
        return len(self._clients)

    @property
    def topics(self) -> int:
        """Return the number of topics that somebody watches."""
        return len(self._topics) - len(self._left)

    # Who watches what

    def connect(self, sink: Sink, form: Form = Form.RAW) -> Client:
        """Add a client that is written to by `sink`, whose `end` is called at most once.

        Raises:
            TooLarge: there are too many connections.
        """
        if len(self._clients) >= self.limits.connections:
            raise TooLarge(f"too many connections, at most {self.limits.connections:,}")
        client, now = Client(sink, form, self.limits), self._monotonic()
        client.beat_at = now + self.limits.beat_s * self._chance()
        client.ends_at = now + self.limits.lifetime_s * (1 - self._chance() / 10)
        self._clients.add(client)
        self._metrics.sockets_open.inc()
        return client

    def disconnect(self, client: Client) -> None:
        """Forget a client whose connection ended; twice does no harm."""
        if client in self._clients:
            self._clients.discard(client)
            self._metrics.sockets_open.dec()
        for topic in list(client.topics):
            self.unsubscribe(client, topic)

    def subscribe(self, client: Client, name: str, *, unusual: bool = False) -> bool:
        """Subscribe a client; return False if it was subscribed already.

        Raises:
            BadRequest: it is one of the `unusual` topics, and there are too many of these.
            TooLarge: the client has too many subscriptions, or the hub too many topics.
        """
        if name in client.topics:
            return False
        if len(client.topics) >= self.limits.subscriptions:
            raise TooLarge(f"too many subscriptions, at most {self.limits.subscriptions:,}")
        is_new = name not in self._topics
        if is_new:
            self._open(name, unusual)
        client.topics[name] = None
        topic = self._topics[name]
        topic.watchers[client] = None
        topic.left_at = None
        self._left.pop(name, None)
        if is_new:
            self._opened(name)
        return True

    def _open(self, name: str, unusual: bool) -> None:
        if unusual and len(self._unusual) >= self.limits.unusual:
            self._make_room(self._unusual)
        if len(self._topics) >= self.limits.topics:
            self._make_room(self._left)
        self._place += 1
        self._topics[name] = Topic(name, self._place)
        if unusual:
            self._unusual.add(name)

    def _make_room(self, names: Collection[str]) -> None:
        """Drop the topic among these that was left first."""
        left = next((name for name in self._left if name in names), None)
        if left is not None:
            self._drop(left)
        elif names is self._unusual:
            raise BadRequest(
                f"streams of unusual intervals are too many, at most {self.limits.unusual:,}: "
                f"take one of {' '.join(OFFERED)}"
            )
        else:
            raise TooLarge(f"too many different streams, at most {self.limits.topics:,}")

    def unsubscribe(self, client: Client, name: str) -> bool:
        """End a subscription; return False if there was none."""
        if name not in client.topics:
            return False
        del client.topics[name]
        topic = self._topics[name]
        del topic.watchers[client]
        if not topic.watchers:
            topic.left_at = self._monotonic()
            self._left[name] = None
            if len(self._left) > self.limits.lingering:
                self._drop(next(iter(self._left)))
        return True

    def _drop(self, name: str) -> None:
        del self._topics[name]
        del self._left[name]
        self._unusual.discard(name)
        self._emptied(name)

    # What happens

    def publish(self, name: str, events: Iterable[Event]) -> None:
        """Queue events of a topic, in order, for all its subscribers; never waits."""
        topic = self._topics.get(name)
        if topic is None:
            return
        most_bytes, most = self.limits.queue_bytes, self.limits.queue_messages
        waiting = self._waiting
        for event in events:
            message, full, replaced = self._counted(topic, event), [], 0
            for client in topic.watchers:  # the innermost loop: once for each message and client
                if event.extended and client.form not in EXTENDED:
                    continue
                replaced += client.put(message)
                if client.queued > most_bytes or len(client.queue) > most:
                    full.append(client)
                elif not client.is_waiting:
                    client.is_waiting = True
                    waiting.append(client)
            self._replaced += replaced
            for client in full:
                self._attend(client)
        if waiting:
            self._schedule()

    def skip(self, name: str, count: int = 1) -> None:
        """Count events of a topic that will not be told: whoever resumes learns of a loss."""
        topic = self._topics.get(name)
        if topic is not None:
            self._place += 1
            topic.skip(count, self._place)

    def send(self, client: Client, payload: bytes, place: str = "") -> None:
        """Queue an answer for one client, or tell it at which `place` it is now."""
        self._put(client, Message(Event(payload), place=place))

    def show(self, client: Client, name: str, events: Iterable[Event]) -> None:
        """Queue for one client how things stand in a topic, which counts for nothing."""
        u = self._topics[name].u if name in self._topics else 0
        for event in events:
            self._put(client, Message(event, name, u))

    def _counted(self, topic: Topic, event: Event) -> Message:
        if event.state is not None:
            return Message(event, topic.name, topic.u)
        self._place += 1
        share = min(_HISTORY_MAX, self.limits.history_bytes // len(self._topics))
        topic.count(event, self._place, (self.limits.history_messages, share))
        return Message(event, topic.name, topic.u, f"{self.epoch}.{self._place}")

    # Who comes back

    @property
    def place(self) -> str:
        """Return the place of the newest event, as server-sent events are told it."""
        return f"{self.epoch}.{self._place}"

    def missed(self, name: str, position: Position) -> list[Record] | None:
        """Return what was counted in a topic since a reader's position; None if it is not known."""
        topic = self._topics.get(name)
        if topic is None or position.epoch != self.epoch:
            return None
        if position.u is not None:
            return topic.since(position.u)
        if position.place is None or position.place > self._place:
            return None
        return topic.since_place(position.place)

    def replay(self, client: Client, records: Iterable[tuple[str, Record]]) -> None:
        """Queue for one client what it missed."""
        for name, (u, place, event) in records:
            if client.form in EXTENDED or not event.extended:
                self._put(client, Message(event, name, u, f"{self.epoch}.{place}"))

    def count_return(self, recovered: bool) -> None:
        """Count a stream that a client came back to."""
        self._metrics.streams_resumed.labels("recovered" if recovered else "incomplete").inc()

    # Writing

    def _put(self, client: Client, message: Message) -> None:
        self._replaced += client.put(message)
        if not client.is_waiting or self._is_full(client):
            self._attend(client)

    def _is_full(self, client: Client) -> bool:
        limits = self.limits
        return client.queued > limits.queue_bytes or len(client.queue) > limits.queue_messages

    def _attend(self, client: Client) -> None:
        """See to it that a client is written to; close it where that no longer helps."""
        if client.closed:
            client.queue.clear()
            client.queued = 0
            return
        if self._is_full(client) and client.sink.is_writable:
            self._write(client)
        if self._is_full(client):
            self.close(client, SLOW, "slow")
        elif not client.is_waiting:
            client.is_waiting = True
            self._waiting.append(client)
            self._schedule()

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            delay = max(0.0, self._next_at - self._monotonic())
            asyncio.get_running_loop().call_later(delay, self._begin)

    def _begin(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        self._go_on(waiting, self._monotonic())

    def _go_on(self, waiting: deque[Client], begun: float) -> None:
        """Write to those who wait, some in each turn of the event loop; then rest as long."""
        loop = asyncio.get_running_loop()
        if waiting:
            self._write_to(waiting, min(_AT_ONCE, len(waiting)))
            loop.call_soon(self._go_on, waiting, begun)
            return
        now = self._monotonic()  # the loop has handed over what was written by now
        self._next_at = max(begun + self.limits.spacing_s, now + (now - begun))
        self._is_scheduled = False
        if self._waiting:
            self._schedule()

    def flush(self) -> None:
        """Write at once what waits and can be written."""
        self._write_to(self._waiting, len(self._waiting))

    def _write_to(self, waiting: deque[Client], count: int) -> None:
        for _ in range(count):
            client = waiting.popleft()
            if client.closed:
                continue
            if client.sink.is_writable:
                client.is_waiting = False
                self._write(client)
                if client.queue:
                    self._attend(client)
            elif client.blocked_at is None:
                client.blocked_at = self._monotonic()
        self._tell_metrics()

    def _write(self, client: Client) -> None:
        data, count = client.take(self.limits.batch_bytes)
        client.sink.write(data)
        self._messages += count
        self._writes += 1

    def _tell_metrics(self) -> None:
        """Count what was done since, at once: each counter costs as much as half a write."""
        self._metrics.socket_messages.inc(self._messages)
        self._metrics.socket_writes.inc(self._writes)
        self._metrics.socket_conflated.inc(self._replaced)
        self._messages = self._writes = self._replaced = 0

    def writable(self, client: Client) -> None:
        """Go on with a client whose sink can be written to again."""
        if client.blocked_at is not None:
            client.blocked_at = None
            self._waiting.append(client)
            self._schedule()

    # Ends

    def close(self, client: Client, code: int, reason: str) -> None:
        """Close a client's connection: nothing that waits in its queue is sent."""
        if client.closed is None:
            client.closed = (code, reason)
            client.queue.clear()
            client.queued = 0
            client.sink.end(code, reason)
        self.disconnect(client)

    def close_all(self, goodbye: bytes) -> None:
        """Close every connection as the server stops, after what waits and, extended, `goodbye`."""
        for client in list(self._clients):
            if client.form in EXTENDED:
                client.put(Message(Event(goodbye)))
            while client.queue and client.sink.is_writable:
                self._write(client)
            self.close(client, SHUTDOWN, "shutdown")

    async def run(self) -> None:
        """Look after clients and topics until cancelled."""
        while True:
            await asyncio.sleep(_CHECK_S)
            self.check()

    def check(self) -> None:
        """Ask who lives, close who does not or has been here long enough, forget old topics."""
        now, limits = self._monotonic(), self.limits
        for client in list(self._clients):
            if client.blocked_at is not None and now - client.blocked_at > limits.stuck_s:
                self.close(client, SLOW, "slow")
            elif now - client.sink.heard_at > limits.silence_s:
                self.close(client, SLOW, "no answer to pings")
            elif now >= client.ends_at:
                self.close(client, SHUTDOWN, "connected for long enough, connect again")
            elif now >= client.beat_at:
                client.beat_at = now + limits.beat_s
                client.sink.beat()
        for name in list(self._left):
            left_at = self._topics[name].left_at
            if left_at is not None and now - left_at <= limits.linger_s:
                break  # the others left later
            self._drop(name)

    def refuse_flood(self, client: Client) -> bool:
        """Take one from what a client may ask; return whether it asked too much and is closed."""
        if client.requests.take(self._monotonic()):
            return False
        rate = self.limits.requests_per_s
        self.close(client, TOO_MANY, f"too many messages, at most {rate:g} a second")
        return True


def _ignore(topic: str) -> None:
    """Do nothing: nobody asked to be told."""
