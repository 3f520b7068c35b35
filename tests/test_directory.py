"""Pages of all markets, and searches, as the web asks for them."""

import asyncio
import sqlite3
from collections.abc import Iterator

import pytest

from appliance.directory import Directory, Sort
from appliance.errors import Retryable
from appliance.model import TRADE_SCHEMA, Commit, Market, MarketId, MarketSpec, Revision
from appliance.store.catalogue import DEMO_EXCHANGE, Catalogue
from tests.board_world import FakeStore
from tests.conftest import NOW


def market(number: int, symbol: str, status: str = "active", **spec: object) -> Market:
    return Market(MarketId(number), MarketSpec(symbol, **spec), status)  # type: ignore[arg-type] # any field


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue(
        [
            *(market(1, "GOLD"), market(2, "SILVER", name="Argentum"), market(3, "TIN")),
            *(market(4, "ZINC"), market(5, "LEAD", "empty")),
            market(6, "DEMO-A", exchange=DEMO_EXCHANGE),
        ]
    )


@pytest.fixture
def numbers() -> FakeStore:
    found = FakeStore()
    found.prices = {i: float(i) for i in (1, 2, 5, 6)}
    found.days = {2: (1.0, 3.0, 1.0, 2.0, 4.0, 8.0, 3), 6: (1.0, 1.0, 1.0, 1.0, 9.0, 99.0, 1)}
    return found


@pytest.fixture
def directory(catalogue: Catalogue, numbers: FakeStore) -> Iterator[Directory]:
    own = Directory(numbers, catalogue, lambda: float(NOW))  # type: ignore[arg-type]
    yield own
    own.close()


@pytest.mark.parametrize(
    ("sort", "descending", "symbols"),
    [
        ("quote_volume_24h", True, ["SILVER", "GOLD", "TIN", "ZINC"]),
        ("quote_volume_24h", False, ["GOLD", "SILVER", "TIN", "ZINC"]),
        ("current_price", True, ["SILVER", "GOLD", "TIN", "ZINC"]),
        ("high_24h", True, ["SILVER", "GOLD", "TIN", "ZINC"]),
        ("symbol", False, ["GOLD", "SILVER", "TIN", "ZINC"]),
        ("symbol", True, ["ZINC", "TIN", "SILVER", "GOLD"]),
        ("name", False, ["SILVER", "GOLD", "TIN", "ZINC"]),
    ],
)
async def test_pages_hold_every_listed_market_once(
    directory: Directory, sort: Sort, descending: bool, symbols: list[str]
) -> None:
    """Those without the number last, and none that is not listed, however the pages are cut."""
    for size in (1, 3, 9):
        pages = [
            await directory.page(sort, descending=descending, limit=size, offset=offset)
            for offset in range(0, 9, size)
        ]
        assert symbols == [m.symbol for page in pages for m in page]
    assert 4 == directory.shown


async def test_a_market_is_found_as_soon_as_it_is_known(
    directory: Directory, catalogue: Catalogue
) -> None:
    """Without waiting for the index of all."""
    assert ["SILVER"] == [m.symbol for m in await directory.search(" silv ")]
    catalogue.load(market(i, f"SILVER{i}") for i in range(10, 1_500))
    assert [1_499] == [m.id for m in await directory.search("silver1499")]
    assert ["SILVER"] == [m.symbol for m in await directory.search("argentum")]


async def test_a_revision_changes_the_order_at_once(
    directory: Directory, numbers: FakeStore
) -> None:
    first = await directory.page("quote_volume_24h", descending=True, limit=1, offset=0)
    numbers.days[1] = (1.0, 3.0, 1.0, 2.0, 4.0, 80.0, 3)
    directory.on_commit(Commit(1, TRADE_SCHEMA.empty_table(), ()))
    again = await directory.page("quote_volume_24h", descending=True, limit=1, offset=0)
    revision = (Revision(1, NOW, NOW),)
    directory.on_commit(Commit(2, TRADE_SCHEMA.empty_table(), (), revision))
    last = await directory.page("quote_volume_24h", descending=True, limit=1, offset=0)
    assert ["SILVER", "SILVER", "GOLD"] == [page[0].symbol for page in (first, again, last)]


async def test_a_failing_index_is_told_and_made_anew(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk under its temporary file, for one."""
    await directory.search("gold")
    await directory.indexed()
    with monkeypatch.context() as patch:

        def full(*_: object, **__: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        patch.setattr("appliance.store.names.Names._run", full)
        with pytest.raises(Retryable, match="disk is full"):
            await directory.search("gold")
    assert [1] == [m.id for m in await directory.search("gold")]


async def test_the_event_loop_goes_on_while_very_many_are_indexed(catalogue: Catalogue) -> None:
    """A question in the middle of it is answered from what is indexed so far."""
    catalogue.load(market(i, f"M{i}") for i in range(10, 20_000))
    own = Directory(FakeStore(), catalogue, lambda: float(NOW))  # type: ignore[arg-type]
    own.start()
    turns = 0
    while own.is_indexing:
        assert ["GOLD"] == [m.symbol for m in await own.search("gold")]
        await asyncio.sleep(0)
        turns += 1
    assert turns > 3
    assert [19_999] == [m.id for m in await own.search("m19999")]
    own.close()
