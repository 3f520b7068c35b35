"""Give the decoder's memory back what it knew, from the trades that are stored.

The side of an open position and the newest mark price follow from stored rows; so after a kill or
a retraction they are those of the rows that are left, and no second record can disagree.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from appliance.chain.market import ContractMarket
from appliance.chain.memory import Memory, mark_fraction
from appliance.store.catalogue import Catalogue
from appliance.store.reader import Reader


async def recall(
    memory: Memory, markets: Sequence[ContractMarket], catalogue: Catalogue, reader: Reader
) -> None:
    """Let the memory know exactly what the stored trades of `markets` say.

    Raises:
        Retryable: the store fails.
    """
    memory.clear()
    by_id: dict[int, ContractMarket] = {
        stored.id: market
        for market in markets
        if (stored := catalogue.find(market.market_spec)) is not None
    }
    sided = {i: market.preset.side_kinds for i, market in by_id.items()}
    for i, position, side in await _told("select_positions", sided, reader):
        memory.relearn_side(by_id[i], position, side)
    marked = {i: market.preset.mark_kinds for i, market in by_id.items()}
    for i, kind, raw_price in await _told("select_newest_raw_prices", marked, reader):
        market = by_id[i]
        mark = mark_fraction(market.preset, market.terms, kind, raw_price)
        if mark is not None:
            memory.remember_mark(market.market_key, mark)


async def _told(
    query: str, kinds_by_id: Mapping[int, Collection[str]], reader: Reader
) -> Iterable[tuple[Any, ...]]:
    """Return what stored rows of these kinds say about the markets that have any."""
    markets = sorted(i for i, kinds in kinds_by_id.items() if kinds)
    if not markets:
        return ()
    kinds = sorted(set().union(*kinds_by_id.values()))
    columns = await reader.query(query, markets=markets, kinds=kinds)
    return zip(*columns, strict=True)
