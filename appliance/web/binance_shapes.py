"""The shapes of Binance's market data: numbers are strings, times are milliseconds.

Numbers that are not known are absent. There is no order book, which is spelled as Binance spells
an empty side of one: price and quantity `0`.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from appliance.datafeed import TradeRow
from appliance.files.symbol import DEFAULT_QUOTE
from appliance.interval import Interval
from appliance.model import DECIMALS, VOLUME_LIMIT, Candles, Market
from appliance.statistics.summaries import Summary
from appliance.statistics.windows import Window
from appliance.store.catalogue import Catalogue
from appliance.streaming.events import number_text
from appliance.web.udf import decimals_shown

Row = dict[str, Any]
FEW: Final = 100
EMPTY_BOOK: Final = {"bidPrice": "0", "bidQty": "0", "askPrice": "0", "askQty": "0"}
_STEP: Final = f"0.{'0' * (DECIMALS - 1)}1"
_LOT_SIZE: Final = {
    "filterType": "LOT_SIZE",
    "minQty": _STEP,
    "maxQty": str(VOLUME_LIMIT // 10**DECIMALS),
    "stepSize": _STEP,
}
_FIXED: Final[Row] = {
    "baseAssetPrecision": DECIMALS,
    "quotePrecision": DECIMALS,
    "quoteAssetPrecision": DECIMALS,
    "orderTypes": [],  # nothing can be ordered here
    "icebergAllowed": False,
    "ocoAllowed": False,
    "quoteOrderQtyMarketAllowed": False,
    "allowTrailingStop": False,
    "cancelReplaceAllowed": False,
    "isSpotTradingAllowed": True,
    "isMarginTradingAllowed": False,
    "permissions": ["SPOT"],
    "permissionSets": [["SPOT"]],
}


async def made(
    make: Callable[[Sequence[Market]], list[Row]], markets: Sequence[Market]
) -> list[Row]:
    """Return what `make` makes of markets; of many of them beside the event loop."""
    return make(markets) if len(markets) <= FEW else await asyncio.to_thread(make, markets)


def symbol_rows(
    markets: Iterable[Market], summaries: Mapping[int, Summary], catalogue: Catalogue
) -> list[Row]:
    """Return what clients must know of each market; no two have the same pair of assets."""
    rows, taken = [], set()
    for market in markets:
        base, quote = _assets(market)
        if (base, quote) in taken:
            base = market.plain_symbol
        taken.add((base, quote))
        summary = summaries.get(market.id)
        decimals = decimals_shown(
            market.spec.price_decimals or 0, None if summary is None else summary.price
        )
        rows.append(
            {
                "symbol": catalogue.plain_name(market),
                "status": "TRADING" if market.status == "active" else "BREAK",
                "baseAsset": base,
                "quoteAsset": quote,
                **_FIXED,
                "filters": [_price_filter(decimals), _LOT_SIZE],
            }
        )
    return rows


def _assets(market: Market) -> tuple[str, str]:
    """Return base and quote; what tells later markets of a pair apart stays with the base."""
    spec = market.spec
    base, quote = spec.base or market.symbol, spec.quote or DEFAULT_QUOTE
    for bare in (f"{base}/{quote}", base):
        if market.symbol.startswith(f"{bare}."):
            return base + market.symbol.removeprefix(bare), quote
    return base, quote


def _price_filter(decimals: int) -> Row:
    tick = f"0.{'0' * (decimals - 1)}1" if decimals else "1"
    return {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "0", "tickSize": tick}


def kline_rows(candles: Candles, interval: Interval) -> list[list[int | str]]:
    """Return candles as arrays of twelve, ascending."""
    numbers = (
        map(number_text, column)
        for column in (
            *(candles.open, candles.high, candles.low, candles.close, candles.volume),
            *(candles.quote_volume, candles.buy_volume, candles.buy_quote_volume),
        )
    )
    return [
        [
            *(start * 1000, o, h, low, c, volume, interval.shift(start, 1) * 1000 - 1),
            *(quote, trades, bought, bought_quote, "0"),
        ]
        for start, trades, o, h, low, c, volume, quote, bought, bought_quote in zip(
            candles.time, candles.trades, *numbers, strict=True
        )
    ]


def trade_rows(trades: Iterable[TradeRow]) -> list[Row]:
    """Return trades with a price; who was the maker is absent where the side is not known."""
    return [
        {
            "id": trade.sequence,
            "price": number_text(trade.price),
            "qty": number_text(trade.size),
            "quoteQty": number_text(trade.quote),
            "time": trade.time_us // 1000,
            **({"isBuyerMaker": trade.side == "sell"} if trade.side else {}),
            "isBestMatch": True,
        }
        for trade in trades
        if trade.price is not None
    ]


def aggregate_rows(trades: Iterable[TradeRow]) -> list[Row]:
    """Return trades in the short form; each stands for itself."""
    return [
        {
            "a": trade.sequence,
            "p": number_text(trade.price),
            "q": number_text(trade.size),
            "f": trade.sequence,
            "l": trade.sequence,
            "T": trade.time_us // 1000,
            **({"m": trade.side == "sell"} if trade.side else {}),
            "M": True,  # clients tell spot trades by it
        }
        for trade in trades
        if trade.price is not None
    ]


def ticker_row(symbol: str, window: Window, span_ms: tuple[int, int], full: bool) -> Row:
    """Return the statistics of a window; without a trade in it, its close is the last price."""
    texts = {
        "openPrice": window.open,
        "highPrice": window.high,
        "lowPrice": window.low,
        "lastPrice": window.close,
        "volume": window.volume,
        "quoteVolume": window.quote_volume,
    }
    changes = {
        "priceChange": window.change,
        "priceChangePercent": window.change_percent,
        "weightedAvgPrice": None if window.close is None else window.average,
    }
    nothing = {"firstId": -1, "lastId": -1} if window.trades == 0 else {}
    ids = {"firstId": window.first_sequence, "lastId": window.last_sequence} | nothing
    numbers = {"openTime": span_ms[0], "closeTime": span_ms[1], **ids, "count": window.trades}
    return {
        "symbol": symbol,
        **_texts(changes if full else {}),
        **_texts(texts),
        **{name: number for name, number in numbers.items() if number is not None},
    }


def _texts(values: Mapping[str, float | None]) -> dict[str, str]:
    return {name: number_text(value) for name, value in values.items() if value is not None}
