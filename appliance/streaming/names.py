"""Streams by name: what `gold@kline_1m` means, and the one spelling by which it is known."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from appliance import interval as intervals
from appliance.errors import BadRequest
from appliance.interval import OFFERED, Interval
from appliance.model import Market
from appliance.statistics.span import DAY_MINUTES
from appliance.store.catalogue import Catalogue

Kind = Literal["kline", "trade", "mini_ticker", "ticker", "mini_tickers", "depth"]
ALL_MINI_TICKERS: Final = "!miniTicker@arr"
DAY: Final = "24hr"
_ALL_MINI_TICKERS: Final = re.compile(r"!miniTicker@arr(@[0-9]{1,5}ms)?")
_DEPTH: Final = re.compile(r"depth[0-9]{0,4}(@[0-9]{1,5}ms)?")
_FIXED: Final[dict[str, tuple[Kind, int, str]]] = {
    "trade": ("trade", 0, ""),
    "miniTicker": ("mini_ticker", DAY_MINUTES, DAY),
    "ticker": ("ticker", DAY_MINUTES, DAY),
    "ticker_1h": ("ticker", 60, "1h"),
    "ticker_4h": ("ticker", 240, "4h"),
    "ticker_1d": ("ticker", DAY_MINUTES, "1d"),
}
"""The kinds without an interval; of tickers, the minutes they look back, and their name."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What a stream's name means; `name` is its one spelling, used as the hub's topic.

    Only the stream of all markets has no `market` and `symbol`, as events spell it; only klines
    have an `interval`, and only tickers look back some `minutes`, by the name of `window`.
    """

    name: str
    kind: Kind
    market: Market | None = None
    symbol: str = ""
    interval: Interval | None = None
    minutes: int = 0
    window: str = ""

    @property
    def is_unusual(self) -> bool:
        """Return whether it is of an interval that no menu offers."""
        return self.interval is not None and self.interval.name not in OFFERED


def parse_stream(text: str, catalogue: Catalogue) -> Stream:
    """Return the stream that `text` names, like `gold@kline_1m` or `wethusdc@trade`.

    Raises:
        BadRequest: the text names no kind of stream that is offered, or no interval.
        UnknownSymbol: no market answers to the part before `@`.
    """
    if _ALL_MINI_TICKERS.fullmatch(text):
        return Stream(ALL_MINI_TICKERS, "mini_tickers", minutes=DAY_MINUTES, window=DAY)
    symbol, _, what = text.partition("@")
    kind: Kind
    interval, minutes, window = None, 0, ""
    if what.startswith("kline_"):
        kind, interval = "kline", intervals.parse(what.removeprefix("kline_"))
        what = f"kline_{interval.name}"
    elif what in _FIXED:
        kind, minutes, window = _FIXED[what]
    elif _DEPTH.fullmatch(what):
        kind = "depth"
    else:
        raise BadRequest(
            f"stream must be <symbol>@ and one of kline_<interval>, {', '.join(_FIXED)}, like "
            f"gold@kline_1m, or {ALL_MINI_TICKERS}, was {text[:64]!r}",
            "params",
        )
    market = catalogue.resolve(symbol)
    symbol = catalogue.plain_name(market)
    return Stream(f"{symbol.lower()}@{what}", kind, market, symbol, interval, minutes, window)
