"""How markets are found and named."""

from dataclasses import replace

import pytest

from appliance.errors import BadRequest, UnknownSymbol
from appliance.model import Market, MarketId, MarketSpec
from appliance.store.catalogue import DEMO_EXCHANGE, Catalogue
from appliance.store.enrol import price_decimals
from tests.conftest import NOW, Opened, Opener
from tests.oracle import T, table

POOL = "0x" + "ab" * 20


def market(number: int, symbol: str, **spec: object) -> Market:
    """Return a stored market."""
    return Market(MarketId(number), MarketSpec(symbol, **spec))  # type: ignore[arg-type] # any field


MARKETS = [
    market(1, "GOLD", name="Gold", exchange="VAMM"),
    market(2, "WETH/USDC", contract=POOL, chain_id=1),
    market(3, "WETHUSDC.X"),
    market(4, "A", contract="0x" + "cd" * 20, chain_id=1),
    market(5, "B", contract="0x" + "cd" * 20, chain_id=1),
]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("GOLD", 1), ("gold", 1), ("vamm:gold", 1), (" GOLD ", 1), ("ｇｏｌｄ", 1)),
        *(("weth/usdc", 2), ("WETHUSDC", 2), ("weth-usdc", 2), (POOL, 2)),
        *((POOL.upper().replace("X", "x", 1), 2),),
    ],
)
def test_every_spelling_finds_the_market(text: str, number: int) -> None:
    """Any case, with the exchange, the plain form, the address, full-width letters."""
    assert Catalogue(MARKETS).resolve(text).id == number


@pytest.mark.parametrize("text", ["", "GOL", "OTHER:GOLD", "0x" + "ee" * 20, "\x00", "/" * 300])
def test_what_names_no_market_is_unknown(text: str) -> None:
    """Also the right symbol on the wrong exchange."""
    with pytest.raises(UnknownSymbol):
        Catalogue(MARKETS).resolve(text)


def test_an_address_of_several_markets_lists_them() -> None:
    """The caller learns which symbols to choose from."""
    with pytest.raises(BadRequest, match="A, B"):
        Catalogue(MARKETS).resolve("0x" + "cd" * 20)


def test_demo_markets_hide_behind_real_ones() -> None:
    """Unless the operator wants both."""
    demo = market(9, "DEMOGOLD", exchange=DEMO_EXCHANGE)
    assert Catalogue([demo]).demo_only()
    assert [demo] == Catalogue([demo]).visible()
    assert demo not in Catalogue([demo, *MARKETS]).visible()
    assert demo in Catalogue([demo, *MARKETS], show_demo=True).visible()
    assert demo == Catalogue([demo, *MARKETS]).resolve("DEMOGOLD")


def test_what_is_counted_of_all_follows_every_change() -> None:
    """Listed markets, exchanges, hidden ids: as a walk over all of them would count."""
    demo = market(9, "DEMOGOLD", exchange=DEMO_EXCHANGE)
    catalogue = Catalogue([demo])
    assert (1, ["DEMO"], [], True) == told(catalogue)
    catalogue.load(MARKETS)
    assert (5, ["APPLIANCE", "VAMM"], [9], False) == told(catalogue)
    catalogue.put(replace(MARKETS[0], status="empty"))
    assert (4, ["APPLIANCE"], [1, 9], False) == told(catalogue)
    assert (4, 0, 0) == tuple(map(catalogue.listed_on, ("APPLIANCE", "VAMM", "DEMO")))
    catalogue.put(MARKETS[0])
    catalogue.put(replace(MARKETS[0], spec=replace(MARKETS[0].spec, exchange="OTHER")))
    assert (5, ["APPLIANCE", "OTHER"], [9], False) == told(catalogue)
    assert [9, 1, 2, 3, 4, 5] == catalogue.ids().tolist()
    assert (6, 9) == (len(catalogue), catalogue.last_id)


def told(catalogue: Catalogue) -> tuple[int, list[str], list[int], bool]:
    """Return what the catalogue counts, having compared it with a walk."""
    walked = catalogue.visible()
    assert len(walked) == catalogue.shown == sum(map(catalogue.is_shown, catalogue.all()))
    assert sorted({m.spec.exchange for m in walked}) == catalogue.exchanges
    return catalogue.shown, catalogue.exchanges, sorted(catalogue.hidden()), catalogue.demo_only()


def test_changes_are_told_once_and_with_what_was_told_before() -> None:
    """New ones first; one that changes before it is told is only told as it is by then."""
    gold, weth, *_ = MARKETS
    catalogue = Catalogue([gold, weth])
    finer, finest = (weth.with_price_decimals(digits) for digits in (7, 9))
    catalogue.put(finer)
    assert ([gold], [], 1) == catalogue.changes(0, 1)
    catalogue.put(finest)
    assert ([finest], [], 2) == catalogue.changes(1, 5)
    assert ([], [], 2) == catalogue.changes(2, 5)
    catalogue.put(finer)
    catalogue.put(weth)
    catalogue.put(market(7, "NEW"))
    assert ([market(7, "NEW")], [(finest, weth)], 3) == catalogue.changes(2, 5)
    assert ([], [], 3) == catalogue.changes(3, 5)


def test_a_symbol_is_free_again_once_its_market_has_another() -> None:
    """And its plain form, which then names the market that has it too."""
    catalogue = Catalogue([market(1, "A/B"), market(2, "A.B")])
    assert 1 == catalogue.resolve("ab").id
    catalogue.put(market(1, "C/D"))
    assert (1, 2) == (catalogue.resolve("cd").id, catalogue.resolve("A.B").id)
    with pytest.raises(UnknownSymbol):
        catalogue.resolve("A/B.X")
    assert "A/B" == catalogue.plan(MarketSpec("A/B")).symbol


def test_an_address_of_very_many_markets_lists_a_few() -> None:
    """An error is read by people."""
    catalogue = Catalogue([market(i, f"M{i:03}", contract=POOL) for i in range(1, 101)])
    with pytest.raises(BadRequest, match="M020 and 80 more"):
        catalogue.resolve(POOL)


def test_planning_looks_at_what_is_planned_already() -> None:
    """Ids and symbols go on from there."""
    catalogue = Catalogue([market(5, "GOLD")])
    first = catalogue.plan(MarketSpec("GOLD", contract=POOL, chain_id=1))
    second = catalogue.plan(MarketSpec("GOLD", contract="0x" + "ef" * 20, chain_id=1), [first])
    assert [(6, "GOLD.1"), (7, "GOLD.EFEFEF")] == [(m.id, m.symbol) for m in (first, second)]


def test_a_taken_symbol_gets_the_chain_then_the_address() -> None:
    """The first keeps the bare name, for ever."""
    catalogue = Catalogue()
    names = []
    for chain, digit in ((1, "a"), (10, "b"), (10, "c")):
        spec = MarketSpec("GOLD", chain_id=chain, contract="0x" + digit * 40, order="chain")
        planned = catalogue.plan(spec)
        catalogue.put(planned)
        assert planned == catalogue.find(spec)
        names.append(planned.symbol)
    assert ["GOLD", "GOLD.10", "GOLD.CCCCCC"] == names


def test_a_real_market_takes_its_name_from_a_demo_market(open_store: Opener) -> None:
    """GOLD is the first symbol that a newcomer posts; the demo's becomes GOLD.DEMO."""
    opened = open_store()
    address = "0x" + "de" * 20
    demo = MarketSpec("GOLD", exchange=DEMO_EXCHANGE, chain_id=1, contract=address, order="chain")
    invented = table([T((NOW - 5) * 10**6, 1.0, 10**18, block=5, log_index=1)])
    opened.store.writer.submit(invented, (demo,)).result(30)
    real = table([T(NOW * 10**6, 7.0, 10**18, trade_id="a")])
    opened.store.writer.submit(real, (MarketSpec("GOLD"),)).result(30)
    later = table([T((NOW - 4) * 10**6, 1.0, 10**18, block=6, log_index=1)])
    opened.store.writer.submit(later, (demo,)).result(30)

    def names(each: Opened) -> list[tuple[str, str]]:
        found = (each.store.catalogue.resolve(s) for s in ("GOLD", "GOLD.DEMO", address))
        return [(m.symbol, m.spec.exchange) for m in found]

    expected = [("GOLD", "APPLIANCE"), ("GOLD.DEMO", "DEMO"), ("GOLD.DEMO", "DEMO")]
    assert expected == names(opened)
    assert ["GOLD"] == [m.symbol for m in opened.store.catalogue.visible()]
    opened.store.close()
    assert expected == names(open_store())


def test_markets_survive_a_restart(open_store: Opener) -> None:
    """With ids, symbols, rules and the digits of their prices."""
    first = open_store()
    spec = MarketSpec("PEPE", contract=POOL, chain_id=8453, order="chain", price_rule="after")
    trades = table([T(NOW * 10**6, 1.234e-6, 10**18, block=1, log_index=1)])
    first.store.writer.submit(trades, (spec,)).result(30)
    known = first.store.catalogue.all()
    assert known[0].spec.price_decimals == 11
    first.store.close()
    assert known == open_store().store.catalogue.all()


def test_finer_prices_refine_the_digits_shown(opened: Opened) -> None:
    """They never become coarser."""
    for digits, shown in ((2, 2), (4, 4), (3, 4)):
        spec = MarketSpec("GOLD", price_decimals=digits)
        trades = table([T(NOW * 10**6, 1.0, 10**18, trade_id=str(digits))])
        opened.store.writer.submit(trades, (spec,)).result(30)
        assert opened.store.catalogue.resolve("GOLD").spec.price_decimals == shown


@pytest.mark.parametrize(
    ("price", "digits"),
    [(None, 2), (0.0, 2), (45_000.0, 2), (1.0, 5), (0.999, 6), (0.00000123, 11), (1e-30, 18)],
)
def test_price_decimals_show_six_significant_digits(price: float | None, digits: int) -> None:
    """At least two digits after the point, at most eighteen."""
    assert price_decimals(price) == digits
