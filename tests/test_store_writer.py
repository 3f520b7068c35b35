"""What is stored is stored once, whole, and told in order."""

import asyncio
import threading
from typing import Any

import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from appliance.errors import BadRequest, Conflict, Retryable
from appliance.model import MarketSpec, Receipt
from tests.conftest import NOW, Opened, Opener
from tests.oracle import T, shuffled, table

GOLD = MarketSpec("GOLD")
POOL = MarketSpec("POOL", chain_id=1, contract="0x" + "ab" * 20, order="chain")


def with_ids(count: int, start: int = NOW - 1000, price: float = 5.0) -> list[T]:
    """Return trades a second apart, each with an id."""
    return [
        T((start + i) * 10**6, price + i, 10**18, trade_id=f"id{start + i}") for i in range(count)
    ]


def on_chain(blocks: range) -> list[T]:
    """Return one trade a block."""
    return [T((NOW - 1000 + b) * 10**6, 1.0 + b, 10**18, block=b, log_index=3) for b in blocks]


def put(opened: Opened, trades: list[T], spec: MarketSpec = GOLD) -> Receipt:
    """Store trades and return the receipt."""
    return opened.store.writer.submit(table(trades), (spec,)).result(30)


def count(opened: Opened) -> int:
    """Return how many rows table `trades` has."""
    return int(ask(opened, "SELECT count() FROM trades")[0][0])


def ask(opened: Opened, query: str) -> Any:
    """Return the rows of a query."""
    return opened.store.writer.call(lambda client: client.query(query).result_rows).result(30)


@pytest.mark.parametrize("trades", [with_ids(50), on_chain(range(1, 51))])
def test_the_same_trades_again_change_nothing(open_store: Opener, trades: list[T]) -> None:
    """In one batch, another batch, another order, partly, and after a restart."""
    spec = POOL if trades[0].block else GOLD
    first = open_store()
    assert Receipt(30, 5) == put(first, trades[:30] + trades[10:15], spec)
    assert Receipt(0, 30) == put(first, shuffled(trades[:30], 1), spec)
    assert Receipt(20, 20) == put(first, shuffled(trades[10:], 2), spec)
    candles = ask(first, CANDLES)
    first.store.close()
    again = open_store()
    assert Receipt(0, 50) == put(again, trades, spec)
    assert (50, candles) == (count(again), ask(again, CANDLES))
    assert again.store.writer.trades_stored == 50


CANDLES = (
    "SELECT interval, bucket, argMinMerge(open), max(high), min(low), argMaxMerge(close), "
    "sum(base_volume), sum(trades) FROM candles GROUP BY interval, bucket ORDER BY ALL"
)


def test_late_trades_below_the_newest_are_new(opened: Opened) -> None:
    """A gap below the highest stored block is filled."""
    put(opened, on_chain(range(100, 110)), POOL)
    assert Receipt(10, 0) == put(opened, on_chain(range(50, 60)), POOL)
    assert Receipt(0, 10) == put(opened, on_chain(range(50, 60)), POOL)


def test_trades_without_id_are_never_the_same(opened: Opened) -> None:
    """Equal in everything but their place on arrival: two trades."""
    both = table([T(NOW * 10**6, 1.0, 10**18), T(NOW * 10**6, 1.0, 10**18)])
    ties = pa.array([7, 8], pa.uint64())
    submission = both.set_column(both.schema.get_field_index("tie"), "tie", ties)
    submission = submission.cast(both.schema)
    assert Receipt(2, 0) == opened.store.writer.submit(submission, (GOLD,)).result(30)


@pytest.mark.parametrize(
    "other",
    [
        T(NOW * 10**6, 9.0, 10**18, trade_id="a"),  # another price
        T(NOW * 10**6, 5.0, 2 * 10**18, trade_id="a"),  # another size
        T(NOW * 10**6 + 1, 5.0, 10**18, trade_id="a"),  # another time
    ],
)
@pytest.mark.parametrize("apart", [True, False])
def test_the_same_id_with_other_content_is_a_conflict(
    opened: Opened, other: T, apart: bool
) -> None:
    """Named, and the whole batch refused, whether the first one is stored or beside it."""
    first = T(NOW * 10**6, 5.0, 10**18, trade_id="a")
    if apart:
        put(opened, [first])
    batch = [T((NOW - 9) * 10**6, 1.0, 10**18, trade_id="b"), other]
    with pytest.raises(Conflict, match="trade id 'a'"):
        put(opened, batch if apart else [first, *batch])
    assert (1 if apart else 0) == count(opened)
    assert ([] if not apart else ["GOLD"]) == [m.symbol for m in opened.store.catalogue.all()]


def test_a_refused_submission_does_not_hold_up_its_neighbours(opened: Opened) -> None:
    """Three waiting together: the one in the middle contradicts, the others are stored."""
    put(opened, with_ids(1))
    gate = threading.Event()
    opened.store.writer.call(lambda client: gate.wait(10))
    good = opened.store.writer.submit(table(with_ids(2, NOW - 50)), (GOLD,))
    bad = opened.store.writer.submit(table(with_ids(1, price=6.0)), (GOLD,))
    late = opened.store.writer.submit(table(with_ids(3, NOW - 20)), (MarketSpec("BTC"),))
    gate.set()
    assert (Receipt(2, 0), Receipt(3, 0)) == (good.result(30), late.result(30))
    with pytest.raises(Conflict):
        bad.result(30)
    assert count(opened) == 6


def test_what_waits_goes_into_one_insert_and_is_published_in_order(opened: Opened) -> None:
    """Many small submissions cost few commits; each keeps its own receipt."""
    gate = threading.Event()
    opened.store.writer.call(lambda client: gate.wait(10))
    futures = [
        opened.store.writer.submit(table(with_ids(2, NOW - 500 + 10 * i)), (GOLD,))
        for i in range(20)
    ]
    gate.set()
    assert [Receipt(2, 0)] * 20 == [f.result(30) for f in futures]
    assert [40] == [c.trades.num_rows for c in opened.commits]
    put(opened, with_ids(1, NOW - 5))
    assert sorted(c.number for c in opened.commits) == [c.number for c in opened.commits]
    assert opened.store.writer.started == opened.store.writer.finished


def test_commits_hold_only_new_rows_with_real_ids(opened: Opened) -> None:
    """Duplicates are not told again; `market_id` is the stored one."""
    put(opened, with_ids(1), MarketSpec("BTC"))
    put(opened, with_ids(3))
    put(opened, with_ids(3) + with_ids(1, NOW - 1))
    gold = opened.store.catalogue.resolve("GOLD")
    last = opened.commits[-1].trades
    assert ([gold.id], [f"id{NOW - 1}"]) == (
        last["market_id"].to_pylist(),
        last["trade_id"].to_pylist(),
    )


def test_chain_and_time_order_do_not_mix(opened: Opened) -> None:
    """A market's trades are ordered by one rule for ever."""
    put(opened, on_chain(range(1, 3)), POOL)
    with pytest.raises(BadRequest, match="must have block_number"):
        put(opened, with_ids(1), MarketSpec("POOL", contract=POOL.contract, chain_id=1))
    assert count(opened) == 2


def test_a_batch_may_span_hundreds_of_months(opened: Opened) -> None:
    """History of fifteen years in one batch."""
    trades = [
        T((NOW - i * 2_600_000) * 10**6, 1.0 + i, 10**18, trade_id=str(i)) for i in range(180)
    ]
    assert Receipt(180, 0) == put(opened, trades)
    assert Receipt(0, 180) == put(opened, trades)


def test_a_failing_engine_is_retryable_and_stores_nothing(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller may send the same again, and it counts once: the journal finishes it first."""
    client = opened.store.writer._client
    insert = client.insert_arrow

    def fail(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("Code: 243. no space left")

    monkeypatch.setattr(client, "insert_arrow", fail)
    with pytest.raises(Retryable, match="no space left"):
        put(opened, with_ids(5))
    monkeypatch.setattr(client, "insert_arrow", insert)
    assert opened.commits == []
    assert Receipt(1, 5) == put(opened, with_ids(6))
    assert [5, 1] == [c.trades.num_rows for c in opened.commits]
    assert count(opened) == 6


def test_close_stores_what_is_queued_and_refuses_the_rest(open_store: Opener) -> None:
    """Nothing that was taken is lost by a stop."""
    opened = open_store()
    gate = threading.Event()
    opened.store.writer.call(lambda client: gate.wait(10))
    queued = opened.store.writer.submit(table(with_ids(4)), (GOLD,))
    closing = threading.Thread(target=opened.store.writer.close)
    closing.start()
    opened.store.writer._closed.wait(10)
    with pytest.raises(Retryable, match="stopping"):
        opened.store.writer.submit(table(with_ids(1)), (GOLD,))
    gate.set()
    closing.join(30)
    assert Receipt(4, 0) == queued.result(0)


def test_calls_see_what_was_submitted_before_them(opened: Opened) -> None:
    """`call` runs between commits, in the order of the queue."""

    def rows(client: Client) -> int:
        return int(client.query("SELECT count() FROM trades").result_rows[0][0])

    opened.store.writer.submit(table(with_ids(7)), (GOLD,))
    seen = opened.store.writer.call(rows)
    opened.store.writer.submit(table(with_ids(7, NOW - 300)), (GOLD,))
    assert seen.result(30) == 7


async def test_ingest_waits_while_too_much_is_queued(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Back-pressure: the third submission enters the queue only when the first has left it."""
    monkeypatch.setattr("appliance.ingest.QUEUED_ROWS_MAX", 10)
    ingest, gate = opened.ingest(), threading.Event()
    opened.store.writer.call(lambda client: gate.wait(10))
    tasks = [
        asyncio.create_task(ingest.submit(table(with_ids(5, NOW - 100 * i)), [GOLD], "test"))
        for i in range(1, 5)
    ]
    await asyncio.sleep(0.05)
    assert ingest._queued_rows == 10
    gate.set()
    assert [Receipt(5, 0)] * 4 == await asyncio.gather(*tasks)
    assert ingest._queued_rows == 0
    assert ingest.trades_per_second() == 2.0
