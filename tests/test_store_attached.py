"""Marks and checkpoints are stored in one step with their trades, and go in one step with them."""

import importlib
from typing import Any

import pytest

from appliance.model import NOTHING, Attached, Checkpoint, Mark, MarketSpec, Receipt
from appliance.store import checkpoints
from tests.conftest import NOW, Opened, Opener
from tests.oracle import T, table

POOL = MarketSpec("POOL", chain_id=1, contract="0x" + "ab" * 20, order="chain")
UNSEEN = MarketSpec("UNSEEN", chain_id=1, contract="0x" + "cd" * 20, order="chain")


def trade(block: int) -> T:
    """Return a trade in a block."""
    return T((NOW - 1_000 + block) * 10**6, 1.0, 10**18, block=block, log_index=1)


def mark(block: int, market: int = 0, rate: float = 0.01) -> Mark:
    """Return a funding update in a block."""
    time_us = (NOW - 1_000 + block) * 10**6
    return Mark(market, time_us, block << 20, "funding", rate, "", 1, block)


def cursor(block: int) -> Checkpoint:
    """Return how far a source has come."""
    return Checkpoint("block:1", "cursor", str(block))


def put(opened: Opened, rows: list[T], attached: Attached) -> Receipt:
    """Store trades with what comes with them."""
    writer = opened.store.writer
    return writer.submit(table(rows), (POOL, UNSEEN), attached=attached).result(60)


def stored(opened: Opened) -> tuple[int, list[Any], str]:
    """Return the number of trades, the marks, and the cursor."""

    def read(client: Any) -> tuple[int, list[Any], str]:
        marks = "SELECT market_id, block_number, value FROM marks FINAL ORDER BY ALL"
        return (
            client.query("SELECT count() FROM trades").result_rows[0][0],
            client.query(marks).result_rows,
            checkpoints.read(client, "block:1").get("cursor", ""),
        )

    return opened.store.writer.call(read).result(60)


def test_what_is_attached_is_stored_with_the_trades(open_store: Opener) -> None:
    """And once only, however often it comes; also over a restart."""
    opened = open_store()
    attached = Attached((mark(5),), (cursor(5),))
    assert Receipt(1, 0) == put(opened, [trade(5)], attached)
    assert Receipt(0, 1) == put(opened, [trade(5)], attached)
    opened.store.close()
    assert (1, [(1, 5, 0.01)], "5") == stored(open_store())


def test_checkpoints_need_no_trades(opened: Opened) -> None:
    """Blocks without a trade move the cursor, too; nothing is published for them."""
    put(opened, [trade(1)], NOTHING)
    commits = len(opened.commits)
    assert Receipt(0, 0) == put(opened, [], Attached((), (cursor(9),)))
    assert (1, [], "9") == stored(opened)
    assert commits == len(opened.commits)


def test_a_mark_of_a_market_without_trades_is_left_out(opened: Opened) -> None:
    """There is no chart to show it on."""
    put(opened, [trade(1)], Attached((mark(1), mark(2, market=1)), ()))
    assert [(1, 1, 0.01)] == stored(opened)[1]


def test_a_retraction_takes_marks_and_sets_the_cursor_back(open_store: Opener) -> None:
    """The same blocks may come again, with the same content."""
    opened = open_store()
    for block in range(1, 7):
        put(opened, [trade(block)], Attached((mark(block),), (cursor(block),)))
    before = stored(opened)
    opened.store.writer.retract(1, 4, (cursor(3),)).result(60)
    assert (3, [(1, b, 0.01) for b in (1, 2, 3)], "3") == stored(opened)
    for block in range(4, 7):
        put(opened, [trade(block)], Attached((mark(block),), (cursor(block),)))
    assert before == stored(opened)


def test_a_retraction_without_trades_still_sets_the_cursor_back(opened: Opened) -> None:
    """Empty blocks are reorganized as well."""
    put(opened, [], Attached((), (cursor(8),)))
    opened.store.writer.retract(1, 4, (cursor(3),)).result(60)
    assert (0, [], "3") == stored(opened)


def test_a_retraction_without_trades_still_takes_marks(opened: Opened) -> None:
    """A block may hold nothing but a funding update."""
    put(opened, [trade(1)], Attached((mark(1), mark(7)), ()))
    opened.store.writer.retract(1, 5).result(60)
    assert [(1, 1, 0.01)] == stored(opened)[1]


@pytest.mark.parametrize("step", ["insert_markets", "_attach"])
def test_a_kill_in_the_middle_leaves_all_or_nothing(
    open_store: Opener, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Once the entry is in the journal the next start stores what is missing of it."""
    opened = open_store()
    put(opened, [trade(1)], Attached((mark(1),), (cursor(1),)))
    module = importlib.import_module("appliance.store.apply")
    with monkeypatch.context() as patch:

        def killed(*_: object) -> None:
            raise RuntimeError("killed")

        patch.setattr(module, step, killed)
        with pytest.raises(RuntimeError, match="killed"):
            put(opened, [trade(2)], Attached((mark(2),), (cursor(2),)))
        opened.store.close()
    assert (2, [(1, 1, 0.01), (1, 2, 0.01)], "2") == stored(open_store())
