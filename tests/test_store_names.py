"""The index of names, compared with a search through all of them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from appliance.model import Market, MarketId, MarketSpec
from appliance.store.names import Names, folded, names_of

POOL = "0x" + "ab" * 20


def market(
    number: int, symbol: str, name: str = "", contract: str = "", status: str = "active"
) -> Market:
    return Market(MarketId(number), MarketSpec(symbol, name, contract=contract), status)


GOLD = market(1, "GOLD", "Gold, physical")
WETH = market(2, "WETH/USDC", contract=POOL)
RUNE = market(3, "ᚱ-'\"/X", "“rune” ☃")


@pytest.fixture
def names() -> Names:
    index = Names()
    index.add([GOLD, WETH, RUNE])
    return index


@pytest.mark.parametrize(
    ("text", "exact", "beginning", "holding"),
    [
        ("gold", [1], [1], [1]),
        ("GOL", [], [1], [1]),
        ("old", [], [], [1]),
        ("gold, PHYSICAL", [1], [1], [1]),
        ("wethusdc", [2], [2], [2]),
        ("h/u", [], [], [2]),
        (POOL, [2], [2], [2]),
        ("bababab", [], [], [2]),
        ("ᚱ-'\"", [], [3], [3]),
        ("“rune” ☃", [3], [3], [3]),
        ("go", [], [1], []),  # shorter than a trigram: only beginnings are found
        ("nothing", [], [], []),
        ("gol\0d", [], [], []),
    ],
)
def test_names_are_found_whole_by_beginning_and_by_part(
    names: Names, text: str, exact: list[int], beginning: list[int], holding: list[int]
) -> None:
    """In any case; symbols also without punctuation, names and addresses."""
    text = folded(text)
    assert exact == names.exact(text, 9).tolist()
    assert beginning == names.beginning(text, 9).tolist()
    assert holding == names.holding(text, 9).tolist()


def test_a_renamed_market_is_found_by_its_new_name_alone(names: Names) -> None:
    """An emptied one by none; one that comes back by all."""
    silver = replace(GOLD, spec=replace(GOLD.spec, symbol="SILVER", name=""))
    names.replace([(GOLD, silver), (WETH, replace(WETH, status="empty"))])
    assert [[], [1], []] == [names.holding(t, 9).tolist() for t in ("GOLD", "SILVER", "WETH")]
    assert [] == names.exact(POOL.upper(), 9).tolist()
    names.replace([(silver, GOLD), (replace(WETH, status="empty"), WETH)])
    assert [[1], [], [2]] == [names.holding(t, 9).tolist() for t in ("GOLD", "SILVER", "WETH")]


def test_pages_are_sorted_by_symbol_or_name(names: Names) -> None:
    """Without those that are hidden; a market without a name has its symbol's."""
    assert [1, 2, 3] == names.page("symbol", [], 9, 0, descending=False).tolist()
    assert [2, 1] == names.page("symbol", [3], 9, 0, descending=True).tolist()
    assert [2] == names.page("name", [1], 1, 0, descending=False).tolist()
    assert [3] == names.page("name", [1], 9, 1, descending=False).tolist()


def test_limits_hold(names: Names) -> None:
    """More are not even counted."""
    names.add([market(i, f"GOLD{i}") for i in range(10, 30)])
    assert 5 == len(names.beginning("GOLD", 5)) == len(names.holding("OLD", 5))
    assert 7 == len(names.of_exchange("APPLIANCE", 7))


WORDS = st.text(st.sampled_from("ABCab1/.-_é☃ ’\"'%*"), min_size=1, max_size=14)


@effort(max_examples=150, deadline=None)
@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=12), WORDS, st.randoms())
def test_the_index_answers_as_a_walk_does(
    pairs: list[tuple[str, str]], asked: str, rng: object
) -> None:
    """No match is missed, whatever the characters; changes leave nothing behind."""
    before = [market(i, s.upper(), n) for i, (s, n) in enumerate(pairs, 1)]
    after = [
        market(m.id, m.symbol[::-1], m.spec.name, status=("active", "empty")[m.id % 4 == 0])
        for m in before
    ]
    index = Names()
    index.add(before)
    index.replace(zip(before, after, strict=True))
    text = folded(asked)
    shown = {m.id: names_of(m).values() for m in after if m.status == "active"}
    assert {i for i, names in shown.items() if text in names} == set(index.exact(text, 99).tolist())
    begins = {i for i, names in shown.items() if any(n.startswith(text) for n in names)}
    assert begins == set(index.beginning(text, 99).tolist())
    holds = {i for i, names in shown.items() if any(text in n for n in names)}
    if len(text) >= 3:
        assert holds <= set(index.holding(text, 99).tolist()) <= set(shown)
