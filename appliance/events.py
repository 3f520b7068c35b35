"""Streams by name, and the events in them, in the shape of Binance's market data."""

import re
from dataclasses import dataclass
from typing import Final, Literal

import msgspec
import numpy as np

from appliance import interval as intervals
from appliance.errors import BadRequest
from appliance.forming import Bar, Rows, to_float, total
from appliance.interval import Interval
from appliance.model import Market, Reason
from appliance.store.catalogue import Catalogue

Kind = Literal["kline", "trade", "depth"]
_DEPTH: Final = re.compile(r"depth[0-9]{0,4}(@[0-9]{1,5}ms)?")
_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Stream:
    """What a stream's name means; `name` is its one spelling, used as the hub's topic."""

    name: str
    market: Market
    kind: Kind
    interval: Interval | None = None


def parse_stream(text: str, catalogue: Catalogue) -> Stream:
    """Return the stream that `text` names, like `gold@kline_1m` or `wethusdc@trade`.

    Raises:
        BadRequest: the text names no kind of stream that is offered, or no interval.
        UnknownSymbol: no market answers to the part before `@`.
    """
    symbol, _, what = text.partition("@")
    kind: Kind
    interval = None
    if what.startswith("kline_"):
        kind, interval = "kline", intervals.parse(what.removeprefix("kline_"))
        what = f"kline_{interval.name}"
    elif what == "trade":
        kind = "trade"
    elif _DEPTH.fullmatch(what):
        kind = "depth"
    else:
        raise BadRequest(
            "stream must be <symbol>@trade or <symbol>@kline_<interval>, like gold@kline_1m, "
            f"was {text[:64]!r}",
            "params",
        )
    market = catalogue.resolve(symbol)
    return Stream(f"{_stream_symbol(market, catalogue)}@{what}", market, kind, interval)


def _stream_symbol(market: Market, catalogue: Catalogue) -> str:
    """Return the plain symbol, or the full one where an older market has the same plain form."""
    plain = market.plain_symbol
    return (plain if catalogue.resolve(plain).id == market.id else market.symbol).lower()


def number_text(value: float) -> str:
    """Return the shortest decimal that reads back as `value`, without exponent: `0.0000001`."""
    text = repr(float(value))
    mantissa, _, exponent = text.partition("e")
    if exponent:
        text = _shifted(mantissa, int(exponent))
    return text.removesuffix(".0")


def _shifted(mantissa: str, exponent: int) -> str:
    """Return `mantissa` × 10^exponent in plain digits."""
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.removeprefix("-").partition(".")
    digits, point = whole + fraction, len(whole) + exponent
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    digits = digits.ljust(point, "0")
    return f"{sign}{digits[:point]}.{digits[point:] or '0'}"


def kline(market: Market, interval: Interval, bar: Bar, now_ms: int) -> bytes:
    """Return the event of one bar as JSON; `k.final` is there where it is false."""
    base, quote, bought, bought_quote = map(number_text, bar.volumes)
    symbol = market.plain_symbol
    k = {
        "t": bar.start * 1000,
        "T": interval.shift(bar.start, 1) * 1000 - 1,
        "s": symbol,
        "i": interval.name,
        "f": bar.first_sequence,
        "L": bar.last_sequence,
        "o": number_text(bar.open),
        "c": number_text(bar.close),
        "h": number_text(bar.high),
        "l": number_text(bar.low),
        "v": base,
        "n": bar.trades,
        "x": bar.closed,
        "q": quote,
        "V": bought,
        "Q": bought_quote,
        "B": "0",
    }
    if not bar.final:
        k["final"] = False
    return _encode({"e": "kline", "E": now_ms, "s": symbol, "k": k})


def reset(
    market: Market, interval: Interval, first: int, last: int, reason: Reason, now_ms: int
) -> bytes:
    """Return the event that says: what was sent of the bars `first` to `last` no longer holds.

    `from` and `to` are milliseconds at which buckets start, `to` the first that is not meant.
    """
    return _encode(
        {
            "e": "reset",
            "E": now_ms,
            "s": market.plain_symbol,
            "i": interval.name,
            "from": first * 1000,
            "to": interval.shift(last, 1) * 1000,
            "reason": reason,
        }
    )


def trades(market: Market, rows: Rows, now_ms: int, limit: int) -> list[bytes]:
    """Return the events of the newest `limit` trades that have a price, in order, as JSON."""
    paid = np.where(np.isnan(rows.execution_price), rows.price, rows.execution_price)
    paid = np.where(np.isnan(paid), rows.mark_price, paid)
    symbol = market.plain_symbol
    return [
        _encode(
            {
                "e": "trade",
                "E": now_ms,
                "s": symbol,
                "t": int(rows.sequence[i]),
                "p": number_text(paid[i]),
                "q": number_text(to_float(total(rows.base[i : i + 1]))),
                "T": int(rows.time_us[i]) // 1000,
                "m": bool(rows.sell[i]),  # the taker sold, so the buyer was the maker
            }
        )
        for i in np.flatnonzero(~rows.mark & ~np.isnan(paid))[-limit:].tolist()
    ]
