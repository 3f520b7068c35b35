"""Searches, compared with a walk through all markets that ranks and sorts them."""

import random

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from appliance import search
from appliance.model import Market, MarketId, MarketSpec
from appliance.search import Question, Search
from appliance.statistics.board import Standings, empty
from appliance.store.catalogue import DEMO_EXCHANGE, Catalogue
from appliance.store.names import folded, names_of
from tests.board_world import standing


def market(number: int, symbol: str, **spec: object) -> Market:
    return Market(MarketId(number), MarketSpec(symbol, **spec))  # type: ignore[arg-type] # any field


def indexed(catalogue: Catalogue) -> Search:
    found = Search(catalogue)
    while found.catch_up():
        pass
    return found


def ids(found: list[Market]) -> list[int]:
    return [int(market.id) for market in found]


def test_exact_matches_come_first_then_beginnings_then_parts() -> None:
    """Within each the busiest, then the oldest: symbols, names and addresses alike."""
    catalogue = Catalogue(
        [
            *(market(1, "XAU"), market(2, "AUX"), market(3, "AU"), market(4, "B", name="Aurum")),
            *(market(5, "C", contract="0x" + "c0" * 20), market(6, "AUD")),
        ]
    )
    own = indexed(catalogue)
    assert [3, 6, 2, 4, 1] == ids(own.find(Question("AU"), standing({6: 9.0, 3: 1.0})))
    assert [3, 6] == ids(own.find(Question("AU", limit=2), standing({6: 9.0, 3: 1.0})))
    assert [5] == ids(own.find(Question(folded("0x" + "c0" * 20)), empty()))
    assert [5] == ids(own.find(Question("0C0C0C"), empty()))
    assert [] == own.find(Question("AU", "OTHER"), empty())


def test_without_a_text_the_busiest_come_first() -> None:
    """Then the others, as they came."""
    catalogue = Catalogue([market(i, f"M{i}") for i in range(1, 6)])
    found = indexed(catalogue).find(Question("", limit=4), standing({4: 2.0, 3: 5.0}))
    assert [3, 4, 1, 2] == ids(found)


def test_markets_that_are_not_listed_are_not_found() -> None:
    """Demo markets beside others, and those whose trades are gone; once listed, they are."""
    demo = market(1, "DEMOGOLD", exchange=DEMO_EXCHANGE)
    catalogue = Catalogue([demo])
    own = indexed(catalogue)
    assert [1] == ids(own.find(Question("GOLD"), empty()))
    catalogue.put(market(2, "GOLD"))
    own.catch_up()
    assert [2] == ids(own.find(Question("GOLD"), empty()))
    catalogue.put(Market(MarketId(2), MarketSpec("GOLD"), "empty"))
    own.catch_up()
    assert [1] == ids(own.find(Question("GOLD"), empty()))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ten candidates be many."""
    monkeypatch.setattr(search, "CANDIDATES", 10)
    monkeypatch.setattr(search, "SHORT_CANDIDATES", 10)
    monkeypatch.setattr(search, "_BREATH", 3)


@pytest.mark.usefixtures("few")
def test_of_a_common_text_the_busiest_are_found_first() -> None:
    """Though the index answers with others; these follow."""
    catalogue = Catalogue([market(i, f"AUSD{i}") for i in range(1, 100)])
    numbers = standing({50: 3.0, 70: 9.0, 99: 1.0})
    own = indexed(catalogue)
    for text in ("AUSD", "USD", "US", "A"):
        found = ids(own.find(Question(text, limit=5), numbers))
        assert ([70, 50, 99], 5) == (found[:3], len(set(found)))


@pytest.mark.usefixtures("few")
def test_markets_of_a_small_exchange_are_found_among_many() -> None:
    """Those of the exchange are looked at, instead of those that hold the text."""
    catalogue = Catalogue([market(i, f"USD{i}", exchange="BIG") for i in range(1, 100)])
    catalogue.put(market(100, "USD100", exchange="Small"))
    assert [100] == ids(indexed(catalogue).find(Question("USD", "small"), empty()))


WORDS = st.text(st.sampled_from("ABC1/."), min_size=1, max_size=8)


@effort(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(WORDS, WORDS, st.sampled_from(["X", "Y"]), st.integers(0, 3)), max_size=15),
    *(WORDS, st.sampled_from(["", "x", "Z"]), st.integers(1, 20)),
)
def test_a_search_finds_what_a_walk_finds(
    rows: list[tuple[str, str, str, int]], asked: str, exchange: str, limit: int
) -> None:
    """The same markets in the same order."""
    catalogue = Catalogue()
    for number, (symbol, name, on, _) in enumerate(rows, 1):
        catalogue.put(market(number, f"{symbol}~{number}", name=name, exchange=on))
    numbers = standing({i: float(row[3]) for i, row in enumerate(rows, 1) if row[3]}, len(rows))
    question = Question(folded(asked), exchange, limit)
    expected = walked(catalogue, question, numbers)
    assert expected == ids(indexed(catalogue).find(question, numbers))


def walked(catalogue: Catalogue, question: Question, numbers: Standings) -> list[int]:
    """Return what a search must find."""
    found = []
    for each in catalogue.all():
        names, text = names_of(each).values(), question.text
        begins = any(name.startswith(text) for name in names)
        rank = 0 if text in names else 1 if begins else 2 if any(text in n for n in names) else None
        on = question.exchange.upper()
        if rank is not None and on in ("", each.spec.exchange):
            [volume] = numbers.volumes(numbers.ids[numbers.ids == each.id]).tolist()
            found.append((rank, -volume, int(each.id)))
    return [number for *_, number in sorted(found)][: question.limit]


def test_the_index_follows_a_catalogue_that_changes_meanwhile() -> None:
    """Markets that come, get other names, go and come back, between any two slices."""
    choose = random.Random(7)
    catalogue, index = Catalogue(), Search(Catalogue())
    index = Search(catalogue)
    for number in range(1, 600):
        catalogue.put(market(number, f"OLD{number}"))
        if choose.random() < 0.5:
            other = choose.randint(1, number)
            word = choose.choice(["NEW", "OLD", "ANY"])
            status = choose.choice(["active", "active", "empty"])
            catalogue.put(Market(MarketId(other), MarketSpec(f"{word}{other}"), status))
        if choose.random() < 0.1:
            index.catch_up()
    while index.catch_up():
        pass
    for text in ("OLD", "NEW", "ANY", "D11", "W22", "Y3"):
        question = Question(text, limit=1_000)
        shown = [m.id for m in catalogue.all() if catalogue.is_shown(m) and text in m.symbol]
        assert sorted(shown) == sorted(ids(index.find(question, empty())))
