"""How markets are found and named."""

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


def test_matches_are_exact_then_prefix_then_parts() -> None:
    """Symbol, name and address are searched, in any case."""
    catalogue = Catalogue([market(1, "XAU"), market(2, "AUX"), market(3, "AU"), market(4, "B")])
    assert [(0, "AU"), (1, "AUX"), (2, "XAU")] == [
        (r, m.symbol) for r, m in catalogue.matches("au")
    ]
    assert [] == catalogue.matches("au", exchange="OTHER")
    assert [(0, "WETH/USDC")] == [(r, m.symbol) for r, m in Catalogue(MARKETS).matches(POOL)]


def test_demo_markets_hide_behind_real_ones() -> None:
    """Unless the operator wants both."""
    demo = market(9, "DEMOGOLD", exchange=DEMO_EXCHANGE)
    assert Catalogue([demo]).demo_only()
    assert [demo] == Catalogue([demo]).visible()
    assert demo not in Catalogue([demo, *MARKETS]).visible()
    assert demo in Catalogue([demo, *MARKETS], show_demo=True).visible()
    assert demo == Catalogue([demo, *MARKETS]).resolve("DEMOGOLD")


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
