"""Give the decoder's memory back what it knew, from the trades that are stored.

The side of an open position and the newest mark price follow from stored rows; so after a kill or
a retraction they are those of the rows that are left, and no second record can disagree.
"""

from collections.abc import Sequence

from appliance.chain.market import ContractMarket
from appliance.chain.memory import Memory, long_of, mark_fraction
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
    by_id: dict[int, ContractMarket] = {}
    for market in markets:
        stored = catalogue.find(market.market_spec)
        if stored is not None:
            by_id[stored.id] = market
    await _sides(memory, {i: m for i, m in by_id.items() if m.preset.side_kinds}, reader)
    await _marks(memory, {i: m for i, m in by_id.items() if m.preset.mark_kinds}, reader)


async def _sides(memory: Memory, by_id: dict[int, ContractMarket], reader: Reader) -> None:
    if not by_id:
        return
    kinds = sorted({kind for market in by_id.values() for kind in market.preset.side_kinds})
    rows = await reader.query("select_positions", markets=sorted(by_id), kinds=kinds)
    for market_id, position, side in zip(*rows, strict=True):
        market = by_id[market_id]
        if (long := long_of(market.terms, side)) is not None:
            memory.remember_side(market.market_key, position, long)


async def _marks(memory: Memory, by_id: dict[int, ContractMarket], reader: Reader) -> None:
    if not by_id:
        return
    kinds = sorted({kind for market in by_id.values() for kind in market.preset.mark_kinds})
    rows = await reader.query("select_newest_raw_prices", markets=sorted(by_id), kinds=kinds)
    for market_id, kind, raw_price in zip(*rows, strict=True):
        market = by_id[market_id]
        fraction = mark_fraction(market.preset, market.terms, kind, raw_price)
        if fraction is not None:
            memory.remember_mark(market.market_key, fraction)
