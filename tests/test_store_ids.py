"""What is said not to be stored is not, whatever was stored before, and new ids cost no query."""

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Conflict
from appliance.model import MarketSpec, Receipt
from appliance.store import ids
from appliance.store.ids import Ids
from appliance.store.reader import select
from tests.conftest import NOW, Opened, Opener
from tests.oracle import T, table

GOLD, TIN = MarketSpec("GOLD"), MarketSpec("TIN")
NOBODY: Any = None
"""The client of a set that has nothing to read."""


def ties(count: int, seed: int) -> Any:
    return np.random.default_rng(seed).integers(0, 1 << 64, count, dtype=np.uint64)


def put(opened: Opened, trades: list[T], spec: MarketSpec = GOLD) -> Receipt:
    return opened.store.writer.submit(table(trades), (spec,)).result(30)


def trade(name: str, time_s: int = NOW - 500) -> T:
    return T(time_s * 10**6, 5.0, 10**18, trade_id=name)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2**64 - 1)), max_size=300))
def test_what_was_added_is_never_denied(added: list[tuple[int, int]]) -> None:
    """Also when there are far more than the layers are made for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ids, "_LAYER_WORDS", (2, 4, 8))
        held = Ids()
        for market in (1, 2, 3):
            held.begin(market)
        for market, tie in added:
            held.add(market, np.array([tie], np.uint64))
        for market, tie in added:
            assert held.perhaps(NOBODY, market, np.array([tie], np.uint64)).all()


def test_few_others_are_taken_for_known() -> None:
    """Two layers full to their measure; consecutive numbers are ties too."""
    held = Ids()
    held.begin(1)
    held.begin(2)
    for seed in range(13):
        held.add(1, ties(100_000, seed))
    held.add(1, np.arange(10**18, 10**18 + 10_000, dtype=np.uint64))
    others = [ties(200_000, 99), np.arange(2 * 10**18, 2 * 10**18 + 100_000, dtype=np.uint64)]
    wrong = [int(held.perhaps(NOBODY, 1, each).sum()) for each in others]
    wrong.append(int(held.perhaps(NOBODY, 2, ties(100_000, 0)).sum()))  # another market's
    assert sum(wrong) <= 400_000 / 25_000, wrong


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the last layer all of them fill up evenly."""
    monkeypatch.setattr(ids, "_LAYER_WORDS", (64, 256, 256))
    held = Ids()
    for seed in range(50):
        held.add(1, ties(100, seed))
    assert [64, 256, 256] == [len(layer._words) for layer in held._layers]
    fills = [layer.fill for layer in held._layers]
    assert max(fills) < 2 * min(fills)
    assert sum(ids._LAYER_WORDS) == 576


def test_the_layers_take_what_they_promise() -> None:
    """85 MiB at most, for 22 million ids."""
    words = sum(ids._LAYER_WORDS)
    assert words * 8 == 85 << 20
    assert words * 64 // ids._BITS_PER_TIE > 22_000_000


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Return the look-ups by id: the query, and how many ties it was about."""
    calls: list[tuple[str, int]] = []

    def noted(client: Any, name: str, parameters: dict[str, Any]) -> Any:
        calls.append((name, len(parameters.get("ties", ()))))
        return select(client, name, parameters)

    for module in ("known", "ids"):
        monkeypatch.setattr(f"appliance.store.{module}.select", noted)
    return calls


def test_new_trades_cost_no_look_up(opened: Opened, asked: list[tuple[str, int]]) -> None:
    """Neither in a new market nor in one that this process has filled."""
    for number in range(5):
        put(opened, [trade(f"{number}-{i}", NOW - 500 + number) for i in range(20)])
    assert not asked


def test_stored_ids_are_read_in_slices(
    open_store: Opener, asked: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restart ids are looked up until all are read; then new ones cost nothing."""
    monkeypatch.setattr(ids, "SLICE_ROWS", 8)
    first = open_store()
    put(first, [trade(f"old{i}", NOW - 500 + i // 7) for i in range(20)])
    first.store.close()
    again = open_store()
    for number in range(5):
        put(again, [trade(f"new{number}", NOW - 100 + number)])
    reading, look_up = ("select_ties", 0), ("select_known_ids", 1)
    assert [reading, look_up, reading, look_up, reading] == asked


@pytest.mark.parametrize("slice_rows", [3, 50_000])
def test_no_reused_id_is_missed(
    open_store: Opener, slice_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random batches over restarts, with a set so small that it is nearly always in doubt."""
    monkeypatch.setattr(ids, "SLICE_ROWS", slice_rows)
    monkeypatch.setattr(ids, "_LAYER_WORDS", (4, 8))
    dice, stored, opened = random.Random(slice_rows), dict[tuple[str, str], int](), open_store()
    refused = 0
    for number in range(60):
        if number % 20 == 19:
            opened.store.close()
            opened = open_store()
        spec = dice.choice((GOLD, TIN))
        drawn = {f"id{dice.randrange(150)}": NOW - dice.randrange(400) for _ in range(6)}
        if dice.random() < 0.6:  # mostly as they are stored
            drawn = {name: stored.get((spec.symbol, name), t) for name, t in drawn.items()}
        keys = {(spec.symbol, name): time_s for name, time_s in drawn.items()}
        batch = [trade(name, time_s) for name, time_s in drawn.items()]
        if any(stored.get(key, time_s) != time_s for key, time_s in keys.items()):
            refused += 1
            with pytest.raises(Conflict, match="was given again with another time"):
                put(opened, batch, spec)
        else:
            new = len(keys.keys() - stored.keys())
            assert Receipt(new, len(keys) - new) == put(opened, batch, spec)
            stored |= keys
    assert 5 < refused < 55
