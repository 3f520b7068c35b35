"""The hub: bounded queues, slow clients closed, others unaffected, hooks called once."""

import asyncio
from dataclasses import replace

import pytest

from appliance.errors import TooLarge
from appliance.hub import Client, Hub, Limits, text_frame
from tests.live_oracle import unframed

LIMITS = Limits(connections=3, subscriptions=2, topics=4, queue_bytes=1_000, queue_messages=10)


class Harness:
    """A hub that records what its hooks and closers were called with."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.hub = Hub(limits)
        self.opened: list[str] = []
        self.emptied: list[str] = []
        self.closed: list[tuple[int, int, str]] = []
        self.hub.on_watch(self.opened.append, self.emptied.append)

    def client(self, *topics: str, wrapped: bool = False) -> Client:
        number = self.hub.connections
        client = self.hub.connect(lambda *why: self.closed.append((number, *why)), wrapped)
        for topic in topics:
            self.hub.subscribe(client, topic)
        return client


async def taken(client: Client) -> list[bytes]:
    batch = await asyncio.wait_for(client.take(), 1)
    return unframed(batch.data) if batch else []


async def test_an_event_reaches_the_subscribers_of_its_topic_in_order() -> None:
    h = Harness()
    one, two, other = h.client("a"), h.client("a", "b"), h.client("b")
    h.hub.publish("a", [b"1", b"2"])
    h.hub.publish("b", [b"3"])
    assert [await taken(c) for c in (one, two, other)] == [[b"1", b"2"], [b"1", b"2", b"3"], [b"3"]]


async def test_wrapped_clients_get_the_name_of_the_stream() -> None:
    h = Harness()
    client = h.client("a", wrapped=True)
    h.hub.publish("a", [b'{"e":1}'])
    h.hub.send(client, b'{"id":1}')
    h.hub.send(client, b'{"e":2}', "a")
    expected = [b'{"stream":"a","data":{"e":1}}', b'{"id":1}', b'{"stream":"a","data":{"e":2}}']
    assert await taken(client) == expected


async def test_extended_events_reach_only_those_that_said_hello_in_their_place() -> None:
    h = Harness()
    plain, extended = h.client("a"), h.client("a")
    extended.extended = True
    h.hub.publish("a", [b"1"])
    h.hub.publish("a", [b"reset"], extended=True)
    h.hub.publish("a", [b"2"])
    assert await taken(plain) == [b"1", b"2"]
    assert await taken(extended) == [b"1", b"reset", b"2"]


@pytest.mark.parametrize("limit", ["bytes", "messages"])
async def test_a_client_over_its_bound_is_closed_and_others_are_not(limit: str) -> None:
    h = Harness()
    slow, reader = h.client("a"), h.client("a")
    payload = b"x" * 90 if limit == "bytes" else b"x"
    for _ in range(11):
        h.hub.publish("a", [payload])
        assert await taken(reader) == [payload]
    assert h.closed == [(0, 4008, "slow")]
    assert slow.closed == (4008, "slow")
    assert await slow.take() is None
    assert h.hub.connections == 1
    h.hub.publish("a", [b"more"])
    assert await taken(reader) == [b"more"]


async def test_a_closed_client_holds_no_memory() -> None:
    h = Harness()
    slow = h.client("a")
    h.hub.publish("a", [b"x" * 90] * 100)
    h.hub.send(slow, b"x")
    assert (len(slow._queue), slow._bytes) == (0, 0)


async def test_the_last_subscriber_may_be_closed_while_events_are_published() -> None:
    h = Harness()
    h.client("a")
    h.hub.publish("a", [b"x" * 2_000, b"y"])
    assert (h.emptied, h.hub.topics) == (["a"], 0)


async def test_answers_count_toward_the_bound() -> None:
    h = Harness()
    client = h.client()
    for _ in range(11):
        h.hub.send(client, b"{}")
    assert h.closed == [(0, 4008, "slow")]


def test_hooks_hear_of_the_first_and_the_last_subscriber_only() -> None:
    h = Harness()
    one, two = h.client("a"), h.client("a", "b")
    assert (h.opened, h.emptied) == (["a", "b"], [])
    assert h.hub.unsubscribe(one, "a")
    assert not h.hub.unsubscribe(one, "a")
    assert h.emptied == []
    h.hub.disconnect(two)
    h.hub.disconnect(two)
    assert (h.emptied, h.hub.topics, h.hub.connections) == (["a", "b"], 0, 1)


def test_a_second_subscription_to_the_same_topic_changes_nothing() -> None:
    h = Harness()
    client = h.client("a")
    assert not h.hub.subscribe(client, "a")
    assert (h.opened, list(client.topics)) == (["a"], ["a"])


def test_too_many_connections_subscriptions_and_topics_are_refused() -> None:
    h = Harness(replace(LIMITS, topics=3))
    h.client("a", "b")
    with pytest.raises(TooLarge, match="too many subscriptions, at most 2"):
        h.hub.subscribe(next(iter(h.hub._clients)), "c")
    other = h.client("c")
    with pytest.raises(TooLarge, match="too many different streams, at most 3"):
        h.hub.subscribe(other, "d")
    h.client()
    with pytest.raises(TooLarge, match="too many connections, at most 3"):
        h.client()


async def test_close_all_closes_everyone_once() -> None:
    h = Harness()
    clients = [h.client("a"), h.client("a")]
    h.hub.close_all(1001, "shutdown")
    h.hub.close_all(1001, "shutdown")
    assert {(code, why) for _, code, why in h.closed} == {(1001, "shutdown")}
    assert len(h.closed) == 2
    assert [await c.take() for c in clients] == [None, None]


async def test_what_waits_goes_out_in_writes_of_bounded_size() -> None:
    h = Harness(replace(LIMITS, queue_bytes=1 << 20))
    client = h.client("a")
    h.hub.publish("a", [b"x" * 40_000] * 4)
    sizes = [await client.take() for _ in range(2)]
    assert [batch.messages for batch in sizes if batch] == [2, 2]


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frames_carry_any_length(size: int) -> None:
    assert unframed(text_frame(b"x" * size) + text_frame(b"y")) == [b"x" * size, b"y"]
