"""What a batch must know of earlier events: sides of positions and mark prices, from the store.

A batch may be old, repeated, or the first after a restart; so it is told what was known at its
place, never what is newest. Then the same events become the same rows, whenever they come.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from appliance.chain.market import ContractMarket
from appliance.chain.memory import Memory, mark_fraction
from appliance.chain.price import Fraction
from appliance.store.reader import Reader

_POSITIONS_PER_QUERY: Final = 1_000


class Stored(NamedTuple):
    """A market of the batch, and the id under which the store knows it."""

    market: ContractMarket
    id: int


class Cut(NamedTuple):
    """A stored mark price that the batch does not tell: it holds from `sequence` on."""

    sequence: int
    contract: str
    mark: Fraction


async def sides(memory: Memory, stored: Stored, positions: Iterable[str], reader: Reader) -> None:
    """Let the memory know the sides of these positions.

    Raises:
        Retryable: the store fails.
    """
    market, ids = stored.market, sorted(set(positions))
    kinds = list(market.preset.side_kinds)
    for start in range(0, len(ids) if kinds else 0, _POSITIONS_PER_QUERY):
        part = ids[start : start + _POSITIONS_PER_QUERY]
        rows = await reader.query(
            "select_sides_of_positions", market=stored.id, kinds=kinds, positions=part
        )
        for position, side in zip(*rows, strict=True):
            memory.relearn_side(market, position, side)


async def marks(stored: Stored, places: Sequence[tuple[int, int]], reader: Reader) -> list[Cut]:
    """Return the mark prices stored up to the last of `places` that hold at the first or later.

    `places` are (sequence, tie) of the market's events in the batch; what is stored at one of
    them is left out, as the batch tells it again.

    Raises:
        Retryable: the store fails.
    """
    market = stored.market
    kinds = sorted(market.preset.mark_kinds)
    if not kinds or not places:
        return []
    rows = await reader.query(
        "select_raw_prices",
        market=stored.id,
        kinds=kinds,
        first=min(places)[0],
        last=max(places)[0],
    )
    known = set(places)
    cuts = []
    for sequence, tie, kind, raw_price in zip(*rows, strict=True):
        mark = mark_fraction(market.preset, market.terms, kind, raw_price)
        if mark is not None and (sequence, tie) not in known:
            cuts.append(Cut(sequence, market.market_key, mark))
    return cuts
