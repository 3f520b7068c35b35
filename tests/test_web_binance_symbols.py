"""Symbols and assets that two markets would share."""

from appliance.model import MarketSpec
from tests.binance_world import serving, store
from tests.conftest import NOW, Opened
from tests.oracle import T

API = "/api/v3"


def test_a_market_whose_plain_form_is_taken_keeps_its_full_symbol(opened: Opened) -> None:
    """What is answered as a symbol is understood as the same one; and its asset differs too."""
    older = store(opened, MarketSpec("A-B", base="X", quote="USD"), [T(NOW * 10**6, 1.0, 1)])
    newer = store(opened, MarketSpec("A.B", base="X", quote="USD"), [T(NOW * 10**6, 2.0, 1)])
    plain_name = opened.store.catalogue.plain_name
    assert ["AB", "A.B"] == [plain_name(market) for market in (older, newer)]
    with serving(opened) as world:
        rows = world.ask(f"{API}/exchangeInfo").json["symbols"]
        prices = {row["symbol"]: row["price"] for row in world.ask(f"{API}/ticker/price").json}
        assert [prices[s] for s in ("AB", "A.B")] == [
            world.ask(f"{API}/ticker/price", symbol=s).json["price"] for s in ("AB", "A.B")
        ]
    assert ["AB", "X"] == sorted(row["baseAsset"] for row in rows)


def test_an_address_of_several_markets_lists_them(opened: Opened) -> None:
    contract = "0x" + "ef" * 20
    for chain in (1, 2):
        spec = MarketSpec("PAIR", chain_id=chain, contract=contract, order="chain")
        store(opened, spec, [T(NOW * 10**6, 1.0, 1, block=5)])
    with serving(opened) as world:
        body = world.ask(f"{API}/ticker/price", symbol=contract).json
    assert -1121 == body["code"]
    assert "PAIR" in body["msg"]
