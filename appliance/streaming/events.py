"""Events of streams, as JSON in the shape of Binance's market data."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from appliance.forming import Bar, Rows, to_float, total
from appliance.interval import Interval
from appliance.model import Reason
from appliance.statistics.windows import Window
from appliance.streaming.message import Event
from appliance.streaming.names import DAY

_encode: Final = msgspec.json.Encoder().encode


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


def kline(symbol: str, interval: Interval, bar: Bar, now_ms: int) -> Event:
    """Return the event of one bar; `k.final` is there where it is false.

    A forming bar is a state of its bucket: only the newest matters.
    """
    base, quote, bought, bought_quote = map(number_text, bar.volumes)
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
    payload = _encode({"e": "kline", "E": now_ms, "s": symbol, "k": k})
    return Event(payload, None if bar.closed else bar.start)


def reset(
    symbol: str, interval: Interval, first: int, last: int, reason: Reason, now_ms: int
) -> Event:
    """Return the event that says: what was sent of the bars `first` to `last` no longer holds.

    `from` and `to` are milliseconds at which buckets start, `to` the first that is not meant.
    """
    body = {
        "e": "reset",
        "E": now_ms,
        "s": symbol,
        "i": interval.name,
        "from": first * 1000,
        "to": interval.shift(last, 1) * 1000,
        "reason": reason,
    }
    return Event(_encode(body), extended=True)


def shutdown(now_ms: int) -> bytes:
    """Return the event that says: the server stops, and will be back."""
    return _encode({"e": "serverShutdown", "E": now_ms})


def trades(symbol: str, rows: Rows, now_ms: int) -> list[Event]:
    """Return the events of all trades that have a price, in order.

    `m`, whether the buyer was the maker, is absent where it is not known who took the other's
    order: false would say that somebody bought.
    """
    paid = np.where(np.isnan(rows.execution_price), rows.price, rows.execution_price)
    paid = np.where(np.isnan(paid), rows.mark_price, paid)
    return [
        Event(
            _encode(
                {
                    "e": "trade",
                    "E": now_ms,
                    "s": symbol,
                    "t": int(rows.sequence[i]),
                    "p": number_text(paid[i]),
                    "q": number_text(to_float(total(rows.base[i : i + 1]))),
                    "T": int(rows.time_us[i]) // 1000,
                    **({"m": bool(rows.sell[i])} if rows.sell[i] or rows.buy[i] else {}),
                }
            )
        )
        for i in np.flatnonzero(~rows.mark & ~np.isnan(paid)).tolist()
    ]


def mini_ticker(symbol: str, window: Window, now_ms: int) -> dict[str, Any]:
    """Return the body of the short event of 24 hours; numbers that are not known are absent."""
    return {"e": "24hrMiniTicker", "E": now_ms, "s": symbol} | _texts(
        {
            "c": window.close,
            "o": window.open,
            "h": window.high,
            "l": window.low,
            "v": window.volume,
            "q": window.quote_volume,
        }
    )


def ticker(symbol: str, window: Window, span_ms: tuple[int, int], name: str) -> dict[str, Any]:
    """Return the body of the event of a window, like `24hr` or `1h`.

    Numbers that are not known are absent; there is no order book, which is written as Binance
    writes an empty side of one.
    """
    mini = mini_ticker(symbol, window, span_ms[1]) | {"e": f"{name}Ticker"}
    more = {
        "p": window.change,
        "P": window.change_percent,
        "w": None if window.close is None else window.average,
    }
    book = {"b": "0", "B": "0", "a": "0", "A": "0"} if name == DAY else {}
    nothing = {"F": -1, "L": -1} if window.trades == 0 else {}
    ids = {"F": window.first_sequence, "L": window.last_sequence} | nothing
    numbers = {"O": span_ms[0], "C": span_ms[1], **ids, "n": window.trades}
    known = {key: number for key, number in numbers.items() if number is not None}
    return mini | _texts(more) | book | known


def of_state(body: Mapping[str, Any]) -> Event:
    """Return an event of which only the newest matters."""
    return Event(_encode(body), "")


def of_list(bodies: Sequence[Mapping[str, Any]]) -> Event:
    """Return an event that holds several: another does not replace it."""
    return Event(_encode(bodies))


def _texts(values: Mapping[str, float | None]) -> dict[str, str]:
    return {name: number_text(value) for name, value in values.items() if value is not None}
