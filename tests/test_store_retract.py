"""A reorg undone equals one that never happened, also after a kill in the middle."""

import importlib
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from appliance.model import MarketSpec, Receipt, Revision
from appliance.store.journal import Span
from appliance.store.rebuild import rebuild, unequal
from tests.conftest import NOW, Opened, Opener
from tests.oracle import T, table

POOL = MarketSpec("POOL", chain_id=1, contract="0x" + "ab" * 20, order="chain")
OTHER = MarketSpec("OTHER", chain_id=1, contract="0x" + "cd" * 20, order="chain")
ELSEWHERE = MarketSpec("ELSE", chain_id=2, contract="0x" + "ef" * 20, order="chain")
GOLD = MarketSpec("GOLD")
START = NOW - 200_000
EVERYTHING = (
    "SELECT * EXCEPT (open, close), finalizeAggregation(open), finalizeAggregation(close) FROM "
    "(SELECT interval, market_id, bucket, argMinMergeState(open) AS open, "
    "argMaxMergeState(close) AS close, max(high), min(low), sum(base_volume), sum(quote_volume), "
    "sum(buy_volume), sum(buy_quote_volume), sum(trades), sum(liquidations), min(first_sequence), "
    "max(last_sequence), sum(rows) FROM candles GROUP BY ALL) ORDER BY ALL"
)


def trades(blocks: range, price: float = 1.0) -> list[T]:
    """Return a trade every 1,000 s, one in each block, over more than two days."""
    return [
        T((START + 1_000 * b) * 10**6, price + b, (b + 1) * 10**17, block=b + 1, log_index=2)
        for b in blocks
    ]


def put(opened: Opened, rows: list[T], spec: MarketSpec = POOL) -> Receipt:
    """Store trades."""
    return opened.store.writer.submit(table(rows), (spec,)).result(60)


def ask(opened: Opened, query: str) -> Any:
    """Return the rows of a query."""
    return opened.store.writer.call(lambda c: c.query(query).result_rows).result(60)


def fill(opened: Opened) -> None:
    """Store four markets on two chains and on none."""
    for spec in (POOL, OTHER, ELSEWHERE):
        put(opened, trades(range(150)), spec)
    put(
        opened,
        [T(t.time_us, t.price, t.size, trade_id=str(t.block)) for t in trades(range(150))],
        GOLD,
    )


def state(opened: Opened) -> tuple[Any, Any]:
    """Return all trades and all candles."""
    rows = ask(opened, "SELECT market_id, time, sequence, price FROM trades ORDER BY ALL")
    return rows, ask(opened, EVERYTHING)


def test_a_retraction_equals_never_having_stored(open_store: Opener) -> None:
    """Of the chain's markets the blocks from 101 on are gone, of all others nothing."""
    opened = open_store()
    for spec in (POOL, OTHER):
        put(opened, trades(range(100)), spec)
    put(opened, trades(range(150)), ELSEWHERE)
    expected = state(opened)
    for spec in (POOL, OTHER):
        put(opened, trades(range(100, 150)), spec)
    gone = opened.store.writer.retract(1, 101).result(60)
    first, last = START + 100_000, START + 149_000
    assert {Revision(1, first, last), Revision(2, first, last)} == set(gone.revisions)
    assert expected == state(opened)
    assert opened.commits[-1].revisions == gone.revisions
    assert opened.store.writer.trades_stored == 350
    # the same blocks come again, with other content and with the same
    assert Receipt(50, 0) == put(opened, trades(range(100, 150), 7.0))
    assert Receipt(50, 0) == put(opened, trades(range(100, 150)), OTHER)
    assert Receipt(0, 50) == put(opened, trades(range(100, 150)), OTHER)


def test_nothing_to_retract_changes_nothing(opened: Opened) -> None:
    """An unknown chain, or a block beyond the newest."""
    fill(opened)
    before, commits = state(opened), len(opened.commits)
    assert () == opened.store.writer.retract(99, 1).result(60).revisions
    assert () == opened.store.writer.retract(1, 10_000).result(60).revisions
    assert (before, commits) == (state(opened), len(opened.commits))


def test_a_market_that_loses_all_trades_is_hidden_until_one_comes(open_store: Opener) -> None:
    """And keeps its name and id."""
    opened = open_store()
    put(opened, trades(range(10)), ELSEWHERE)
    put(opened, trades(range(10)))
    opened.store.writer.retract(1, 1).result(60)
    assert ["ELSE"] == [m.symbol for m in opened.store.catalogue.visible()]
    opened.store.close()
    again = open_store()
    assert ["ELSE"] == [m.symbol for m in again.store.catalogue.visible()]
    put(again, trades(range(3)))
    assert ["ELSE", "POOL"] == [m.symbol for m in again.store.catalogue.visible()]
    assert 2 == again.store.catalogue.resolve("POOL").id


@pytest.mark.parametrize(
    "step", ["delete_trades", "delete_candles", "insert_candles", "insert_arrow"]
)
@pytest.mark.parametrize("after", [True, False])
def test_a_stop_at_any_step_is_finished_by_the_next_start(
    open_store: Opener, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    """The engine dies before or after the step; the next start ends where it would have ended."""
    opened = open_store()
    fill(opened)
    _die(monkeypatch, opened, step, after)
    late = trades(range(150, 160)) if step == "insert_arrow" else []
    doomed = (
        opened.store.writer.submit(table(late), (POOL,))
        if late
        else opened.store.writer.retract(1, 120)
    )
    with pytest.raises(RuntimeError, match="died"):
        doomed.result(60)
    monkeypatch.undo()
    opened.store.close()
    again = open_store()
    rows = ask(again, "SELECT market_id, count() FROM trades GROUP BY market_id ORDER BY market_id")
    expected = [160, 150, 150, 150] if late else [119, 119, 150, 150]
    assert expected == [n for _, n in rows]
    assert_candles_are_the_trades(again)


def _die(monkeypatch: pytest.MonkeyPatch, opened: Opened, step: str, after: bool) -> None:
    if step == "insert_arrow":
        client = opened.store.writer._client
        _wrap(monkeypatch, client, "insert_arrow", lambda *_: True, after)
        return

    def is_step(*arguments: Any) -> bool:
        return bool(arguments[1] == step)

    for module in ("apply", "rebuild"):
        _wrap(monkeypatch, f"appliance.store.{module}", "run", is_step, after)


def _wrap(
    monkeypatch: pytest.MonkeyPatch,
    target: Any,
    name: str,
    is_step: Callable[..., bool],
    after: bool,
) -> None:
    owner = importlib.import_module(target) if isinstance(target, str) else target
    original = getattr(owner, name)

    def dying(*arguments: Any, **named: Any) -> Any:
        if not is_step(*arguments):
            return original(*arguments, **named)
        if after:
            original(*arguments, **named)
        raise RuntimeError("died")

    monkeypatch.setattr(owner, name, dying)


def assert_candles_are_the_trades(opened: Opened) -> None:
    """Every candle of every interval equals the one made of its trades anew."""
    found = ask(opened, EVERYTHING)

    def rebuilt(client: Client) -> Any:
        ids = [m.id for m in opened.store.catalogue.all()]
        assert [] == unequal(client, ids, 0, NOW + 86_400)
        for market_id in ids:
            rebuild(client, Span(market_id, START, NOW))
        return client.query(EVERYTHING).result_rows

    assert found == opened.store.writer.call(rebuilt).result(60)


def test_readers_see_before_or_after_never_between(opened: Opened) -> None:
    """While retractions and inserts alternate, every read is one of the two states."""
    put(opened, trades(range(150)))
    query = {"market": 1, "divisor": 86_400, "step": 86_400, "offset": 0, "months": 0}
    query |= {"from": 0, "to": 4_000_000_000, "limit": 100}
    reader = opened.store.reader

    def volume() -> Any:
        return sum(map(Decimal, reader.query_here("select_candles", query)[5]))

    whole, seen, stop = volume(), set(), threading.Event()

    def watch() -> None:
        while not stop.is_set():
            seen.add(volume())

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(4):
        opened.store.writer.retract(1, 101).result(60)
        part = volume()
        put(opened, trades(range(100, 150)))
    stop.set()
    watcher.join()
    assert seen <= {whole, part}
    assert part < whole


def test_lost_candles_are_mended_at_the_start(open_store: Opener) -> None:
    """Whatever the reason: the newest days are counted at every start."""
    opened = open_store()
    now = int(time.time())
    rows = [T((now - 100 + i) * 10**6, 1.0 + i, 10**18, trade_id=str(i)) for i in range(9)]
    put(opened, rows, GOLD)
    expected = ask(opened, EVERYTHING)
    ask(opened, "TRUNCATE TABLE candles")
    opened.store.close()
    assert expected == ask(open_store(), EVERYTHING)
