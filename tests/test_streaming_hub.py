"""The hub: one write for what happens together, newest states only, bounds, and who comes back."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import BadRequest, TooLarge
from appliance.metrics import Metrics
from appliance.streaming.client import Client
from appliance.streaming.hub import Hub, Position
from appliance.streaming.limits import Allowance, Limits
from appliance.streaming.message import Event, Form, numbered, text_frame
from tests.live_oracle import Wire, unframed

LIMITS = Limits(
    connections=3, subscriptions=2, topics=4, unusual=1, queue_bytes=2_000, queue_messages=10
)


class Harness:
    """A hub with a clock set by hand, that records what its hooks were called with."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.now = 1_000.0
        self.metrics = Metrics()
        self.hub = Hub(self.metrics, "run", limits, lambda: self.now, lambda: 1.0)
        self.opened: list[str] = []
        self.emptied: list[str] = []
        self.wires: dict[Client, Wire] = {}
        self.hub.on_watch(self.opened.append, self.emptied.append)

    def client(self, *topics: str, form: Form = Form.RAW) -> Client:
        wire = Wire()
        client = self.hub.connect(wire, form)
        self.wires[client] = wire
        for topic in topics:
            self.hub.subscribe(client, topic)
        return client

    def publish(self, topic: str, *payloads: bytes, **options: Any) -> None:
        self.hub.publish(topic, [Event(payload, **options) for payload in payloads])

    def taken(self, client: Client) -> list[bytes]:
        self.hub.flush()
        return self.wires[client].taken()

    def ends(self, client: Client) -> list[tuple[int, str]]:
        return self.wires[client].ends

    def sample(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"appliance_{name}", labels)


async def test_an_event_reaches_the_subscribers_of_its_topic_in_order_and_in_one_write() -> None:
    h = Harness()
    one, two, other = h.client("a"), h.client("a", "b"), h.client("b")
    h.publish("a", b"1", b"2")
    h.publish("b", b"3")
    h.publish("a", b"4")
    assert [h.taken(c) for c in (one, two, other)] == [
        [b"1", b"2", b"4"],
        [b"1", b"2", b"3", b"4"],
        [b"3"],
    ]
    assert [wire.writes for wire in h.wires.values()] == [1, 1, 1]
    assert (h.sample("socket_messages_total"), h.sample("socket_writes_total")) == (8, 3)


async def test_what_happens_at_once_is_written_by_the_loop_and_later_things_wait_a_little() -> None:
    h = Harness(replace(LIMITS, spacing_s=0.05))
    client = h.client("a")
    h.publish("a", b"1")
    h.publish("a", b"2")
    await asyncio.sleep(0.01)
    assert h.wires[client].taken() == [b"1", b"2"]
    h.publish("a", b"3")
    await asyncio.sleep(0.01)
    assert h.wires[client].taken() == []
    await asyncio.sleep(0.06)
    assert h.wires[client].taken() == [b"3"]


async def test_each_form_of_client_gets_an_event_as_it_wants_it() -> None:
    h = Harness(replace(LIMITS, connections=9))
    clients = [h.client("a", form=form) for form in (Form.RAW, Form.WRAPPED, Form.EXTENDED)]
    both, blocks = h.client("a", form=Form.EXTENDED_WRAPPED), h.client("a", form=Form.BLOCK)
    h.publish("a", b'{"e":1}')
    h.publish("a", b'{"e":2}', extended=True)
    h.publish("a", b'{"e":3}', state="")
    h.hub.send(both, b'{"id":1}')
    wrapped = b'{"stream":"a","data":%s}'
    assert h.taken(clients[0]) == [b'{"e":1}', b'{"e":3}']
    assert h.taken(clients[1]) == [wrapped % b'{"e":1}', wrapped % b'{"e":3}']
    numbers = [b'{"e":1,"u":2}', b'{"e":2,"u":3}', b'{"e":3,"u":3}']
    assert h.taken(clients[2]) == numbers
    assert h.taken(both) == [*(wrapped % text for text in numbers), b'{"id":1}']
    ids = [b"id: run.2\n", b"id: run.3\n", b""]  # a state's place says nothing
    expected = [i + b"data: " + wrapped % n + b"\n\n" for i, n in zip(ids, numbers, strict=True)]
    assert h.wires[blocks].data == b"".join(expected)


@given(st.lists(st.dictionaries(st.text('ab},{"', max_size=3), st.integers()), min_size=1))
def test_each_of_a_list_of_events_has_its_number(events: list[dict[str, int]]) -> None:
    named = [{"e": "x"} | {k: v for k, v in e.items() if "}," not in k} for e in events]
    text = json.dumps(named, separators=(",", ":")).encode()
    assert json.loads(numbered(text, 7)) == [e | {"u": 7} for e in named]


# -- slow clients --


async def test_a_newer_state_takes_the_place_of_an_unsent_one_and_nothing_else_does() -> None:
    h = Harness()
    slow, reader = h.client("a", "b"), h.client("a")
    h.wires[slow].is_writable = False
    for n in range(5):
        h.publish("a", b"bar%d" % n, state=60)
        h.publish("a", b"trade%d" % n)
        h.publish("a", b"next%d" % n, state=120)
        h.publish("b", b"other%d" % n, state=60)
        assert h.taken(reader) == [b"bar%d" % n, b"trade%d" % n, b"next%d" % n]
    h.wires[slow].is_writable = True
    h.hub.writable(slow)
    trades = [b"trade%d" % n for n in range(4)]
    assert h.taken(slow) == [*trades, b"bar4", b"trade4", b"next4", b"other4"]
    assert h.sample("socket_conflated_total") == 12


@pytest.mark.parametrize("limit", ["bytes", "messages"])
async def test_a_client_over_its_bound_is_closed_and_others_are_not(limit: str) -> None:
    h = Harness()
    slow, reader = h.client("a"), h.client("a")
    h.wires[slow].is_writable = False
    payload = b"x" * 190 if limit == "bytes" else b"x"
    for _ in range(11):
        h.publish("a", payload)
        assert h.taken(reader) == [payload]
    assert (h.ends(slow), slow.closed) == ([(4008, "slow")], (4008, "slow"))
    assert (len(slow.queue), slow.queued, h.hub.connections) == (0, 0, 1)
    h.publish("a", b"more")
    assert (h.taken(reader), h.taken(slow)) == ([b"more"], [])


async def test_a_burst_over_the_bound_does_not_close_one_who_reads() -> None:
    h = Harness()
    client = h.client("a")
    h.publish("a", *(b"%d" % n for n in range(100)))
    assert len(h.taken(client)) == 100
    assert h.ends(client) == []


async def test_one_who_takes_nothing_for_a_minute_is_closed() -> None:
    h = Harness()
    client = h.client("a")
    h.wires[client].is_writable = False
    h.publish("a", b"1")
    h.hub.flush()
    h.now += 59
    h.hub.check()
    assert h.ends(client) == []
    h.now += 2
    h.hub.check()
    assert h.ends(client) == [(4008, "slow")]


async def test_one_who_answers_no_ping_is_closed_after_sixty_seconds() -> None:
    h = Harness()
    silent, alive = h.client(), h.client()
    h.wires[silent].heard_at = h.wires[alive].heard_at = h.now
    for _ in range(61):
        h.now += 1
        h.hub.check()
        h.wires[alive].heard_at = h.now
    assert h.ends(silent) == [(4008, "no answer to pings")]
    assert (h.ends(alive), h.wires[alive].beats) == ([], 3)


async def test_no_connection_lasts_for_ever() -> None:
    h = Harness()
    client = h.client()
    h.now += h.hub.limits.lifetime_s
    h.hub.check()
    assert [code for code, _ in h.ends(client)] == [1001]


async def test_what_waits_goes_out_in_writes_of_bounded_size() -> None:
    h = Harness(replace(LIMITS, queue_bytes=1 << 20))
    client = h.client("a")
    h.wires[client].is_writable = False
    h.publish("a", *([b"x" * 40_000] * 4))
    h.wires[client].is_writable = True
    h.hub.flush()
    assert len(h.wires[client].taken()) == 2
    h.hub.flush()
    assert len(h.wires[client].taken()) == 2


async def test_answers_count_toward_the_bound() -> None:
    h = Harness()
    client = h.client()
    h.wires[client].is_writable = False
    for _ in range(11):
        h.hub.send(client, b"{}")
    assert h.ends(client) == [(4008, "slow")]


async def test_the_last_subscriber_may_be_closed_while_events_are_published() -> None:
    h = Harness()
    h.wires[h.client("a")].is_writable = False
    h.publish("a", b"x" * 3_000, b"y")
    assert h.hub.topics == 0


# -- who watches what --


def test_a_topic_is_followed_for_a_while_after_its_last_subscriber_left() -> None:
    h = Harness()
    one, two = h.client("a"), h.client("a", "b")
    assert (h.opened, h.emptied) == (["a", "b"], [])
    assert h.hub.unsubscribe(one, "a")
    assert not h.hub.unsubscribe(one, "a")
    h.hub.disconnect(two)
    h.hub.disconnect(two)
    assert (h.emptied, h.hub.topics, h.hub.connections) == ([], 0, 1)
    h.now += 60
    h.hub.subscribe(one, "b")
    h.now += h.hub.limits.linger_s - 1
    h.hub.check()
    assert (h.opened, h.emptied) == (["a", "b"], ["a"])
    h.now += h.hub.limits.linger_s
    h.hub.check()
    assert (h.opened, h.emptied, h.hub.topics) == (["a", "b"], ["a"], 1)


def test_a_second_subscription_to_the_same_topic_changes_nothing() -> None:
    h = Harness()
    client = h.client("a")
    assert not h.hub.subscribe(client, "a")
    assert (h.opened, list(client.topics)) == (["a"], ["a"])


def test_too_many_connections_subscriptions_and_topics_are_refused() -> None:
    h = Harness(replace(LIMITS, topics=3))
    first = h.client("a", "b")
    with pytest.raises(TooLarge, match="too many subscriptions, at most 2"):
        h.hub.subscribe(first, "c")
    other = h.client("c")
    with pytest.raises(TooLarge, match="too many different streams, at most 3"):
        h.hub.subscribe(other, "d")
    h.client()
    with pytest.raises(TooLarge, match="too many connections, at most 3"):
        h.client()


def test_topics_that_nobody_watches_give_way() -> None:
    h = Harness(replace(LIMITS, topics=2, subscriptions=9))
    client = h.client("a", "b")
    h.hub.unsubscribe(client, "b")
    h.hub.subscribe(client, "c")
    assert h.emptied == ["b"]
    h = Harness(replace(LIMITS, lingering=0))
    h.hub.unsubscribe(h.client("a"), "a")
    assert h.emptied == ["a"]


def test_unusual_intervals_are_few_at_a_time() -> None:
    h = Harness(replace(LIMITS, subscriptions=9))
    client = h.client()
    h.hub.subscribe(client, "gold@kline_7m", unusual=True)
    with pytest.raises(BadRequest, match="at most 1: take one of 1s 5s"):
        h.hub.subscribe(client, "gold@kline_8m", unusual=True)
    h.hub.unsubscribe(client, "gold@kline_7m")
    h.hub.subscribe(client, "gold@kline_8m", unusual=True)
    assert h.emptied == ["gold@kline_7m"]


async def test_close_all_sends_what_waits_and_a_goodbye_and_closes_everyone_once() -> None:
    h = Harness()
    plain, extended = h.client("a"), h.client("a", form=Form.EXTENDED)
    h.publish("a", b"{}")
    h.hub.close_all(b'{"e":"bye"}')
    h.hub.close_all(b'{"e":"bye"}')
    assert [h.ends(c) for c in (plain, extended)] == [[(1001, "shutdown")]] * 2
    assert h.wires[plain].taken() == [b"{}"]
    assert h.wires[extended].taken() == [b'{"u":2}'.replace(b"{", b"{,"), b'{"e":"bye"}']
    assert h.hub.connections == 0


def test_requests_are_allowed_at_once_and_then_by_the_second() -> None:
    allowance = Allowance(2.0, 3)
    assert [allowance.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert [allowance.take(100.5), allowance.take(100.6)] == [True, False]
    assert [allowance.take(900.0) for _ in range(4)] == [True, True, True, False]


async def test_who_asks_too_much_is_closed() -> None:
    h = Harness(replace(LIMITS, requests_at_once=2))
    client = h.client()
    assert [h.hub.refuse_flood(client) for _ in range(3)] == [False, False, True]
    assert h.ends(client) == [(4029, "too many messages, at most 20 a second")]


# -- who comes back --


def texts(h: Harness, topic: str, **where: int) -> list[bytes] | None:
    records = h.hub.missed(topic, Position("run", **where))
    return None if records is None else [record.event.payload for record in records]


async def test_all_that_was_counted_since_is_known_or_nothing_is() -> None:
    h = Harness(replace(LIMITS, history_messages=3))
    h.client("a", "b")
    h.publish("a", b"1", b"2")
    h.publish("a", b"state", state="")
    h.publish("b", b"x")
    h.publish("a", b"3")
    u, place = 1, 2  # where "a" was when "b" was opened and nothing had happened yet
    assert texts(h, "a", u=u) == [b"1", b"2", b"3"] == texts(h, "a", place=place)
    assert texts(h, "a", u=u + 1) == [b"2", b"3"] == texts(h, "a", place=place + 1)
    assert texts(h, "a", u=u + 3) == [] == texts(h, "a", place=place + 4)
    h.publish("a", b"4")
    assert texts(h, "a", u=u) is None
    assert texts(h, "a", place=place) is None
    assert texts(h, "a", u=u + 1) == [b"2", b"3", b"4"]
    assert texts(h, "a", u=u + 5) is None  # numbers that nobody was told yet
    assert texts(h, "a", place=place + 99) is None
    assert h.hub.missed("a", Position("another run", u=u + 4)) is None
    assert texts(h, "c", u=1) is None


async def test_what_is_not_told_is_a_loss() -> None:
    h = Harness()
    h.client("a")
    h.publish("a", b"1")
    h.hub.skip("a", 5)
    h.publish("a", b"7")
    assert texts(h, "a", u=2) is None
    assert texts(h, "a", u=7) == [b"7"]


async def test_a_topic_that_was_not_followed_meanwhile_knows_nothing_of_before() -> None:
    """Not even where nothing at all was counted in between."""
    h = Harness()
    client = h.client("a")
    h.publish("a", b"1")
    before = {"u": 2, "place": 2}
    assert texts(h, "a", u=2) == [] == texts(h, "a", place=2)
    h.hub.unsubscribe(client, "a")
    h.now += 1_000
    h.hub.check()
    h.hub.subscribe(client, "a")
    assert [texts(h, "a", **{name: n}) for name, n in before.items()] == [None, None]


async def test_history_is_bounded_in_bytes_over_all_topics() -> None:
    h = Harness(replace(LIMITS, history_bytes=20_000, history_messages=10_000, subscriptions=9))
    h.client("a", "b", "c", "d")
    for _ in range(100):
        for topic in "abcd":
            h.publish(topic, b"x" * 936)
    kept = [h.hub._topics[topic]._bytes for topic in "abcd"]
    assert sum(kept) == 20_000


async def test_what_was_missed_is_sent_again_with_its_numbers() -> None:
    h = Harness()
    h.client("a", form=Form.EXTENDED)
    h.publish("a", b'{"n":1}', b'{"n":2}')
    late = h.client("a", form=Form.EXTENDED)
    records = h.hub.missed("a", Position("run", u=1)) or []
    h.hub.replay(late, (("a", record) for record in records))
    assert h.taken(late) == [b'{"n":1,"u":2}', b'{"n":2,"u":3}']


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frames_carry_any_length(size: int) -> None:
    assert unframed(text_frame(b"x" * size) + text_frame(b"y")) == [b"x" * size, b"y"]
