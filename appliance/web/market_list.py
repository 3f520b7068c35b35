"""Lists of markets with their last 24 hours: a page of all of them, or what a search found."""

from typing import TYPE_CHECKING, Any, Final, get_args

from appliance.directory import Directory, Sort
from appliance.model import Market
from appliance.statistics.board import KEYS
from appliance.store.names import Kind
from appliance.web.params import Params
from appliance.web.parts import Parts
from appliance.web.shapes import market_row

if TYPE_CHECKING:
    from appliance.datafeed import Datafeed

PAGE_MAX: Final = 1_000
FOUND_MAX: Final = 1_000
"""Most markets of one search; a longer text finds those that are meant."""
OFFSET_MAX: Final = 10**9
NAMES: Final[tuple[Kind, ...]] = get_args(Kind)
SORTS: Final[tuple[Sort, ...]] = (*KEYS, *NAMES)
Row = dict[str, Any]


async def market_rows(datafeed: "Datafeed", markets: list[Market]) -> list[Row]:
    """Return a row for each market, with its last 24 hours."""
    summaries = await datafeed.summaries(markets)
    return [market_row(market, summaries.get(market.id)) for market in markets]


async def market_body(parts: Parts, market: Market) -> Row:
    """Return a market's row with its open interest, which lists leave out: it takes a sum."""
    rows = await market_rows(parts.datafeed, [market])
    interest = await parts.positions.open_interest(market)
    return rows[0] if interest is None else rows[0] | {"open_interest": interest}


def busiest_first(rows: list[Row]) -> list[Row]:
    """Return rows by what was traded in 24 hours, in quote units."""
    return sorted_rows(rows, "quote_volume_24h", descending=True)


def sorted_rows(rows: list[Row], key: str, *, descending: bool) -> list[Row]:
    """Return rows by `key`; where it is not known they come last, whatever the direction."""
    known = sorted((r for r in rows if key in r), key=lambda r: r[key], reverse=descending)
    return known + [row for row in rows if key not in row]


async def answer_body(directory: Directory, datafeed: "Datafeed", query: Params) -> Row:
    """Return one page of all markets, or of those that `query` finds.

    Raises:
        BadRequest: a parameter is wrong.
        Retryable: the store fails.
    """
    sort = query.choice("sort", SORTS)
    order = query.choice("order", ("asc", "desc") if sort in NAMES else ("desc", "asc"))
    limit = query.integer("limit", 100, 1, PAGE_MAX)
    offset = query.integer("offset", 0, 0, OFFSET_MAX)
    descending = order == "desc"
    if text := query.text("query", ""):
        found = await directory.search(text, limit=FOUND_MAX)
        rows = await market_rows(datafeed, found)
        total = len(rows)
        page = sorted_rows(rows, sort, descending=descending)[offset : offset + limit]
    else:
        markets = await directory.page(sort, descending=descending, limit=limit, offset=offset)
        total = directory.shown
        page = await market_rows(datafeed, markets)
        if sort not in NAMES:  # what is shown is newer than the order of all
            page = sorted_rows(page, sort, descending=descending)
    meta = {"total": total, "count": len(page), "limit": limit, "offset": offset}
    return {"success": True, "data": page, "meta": meta | {"sort": sort, "order": order}}
