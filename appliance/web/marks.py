"""Marks in the shapes of their dialects: on bars, on the time scale, and as plain rows.

A chart draws a mark only at the start of a bar that it has. So each mark goes to the bar it
happened in, and what happened while there was no bar to the last one before.
"""

from bisect import bisect_right
from collections.abc import Sequence
from html import escape
from math import floor, log10
from typing import Any, Final

from appliance.marks import ChartMark, Kind
from appliance.model import Market

PER_BAR: Final = 10
"""More marks on one bar than this are not drawn by the widget."""
_DIGITS: Final = 6
_DECIMALS_MAX: Final = 12
_LETTERS: Final[dict[Kind, str]] = {
    "liquidation": "L",
    "large_trade": "T",
    "funding": "F",
    "note": "N",
}
_COLOURS: Final = {"buy": "green", "sell": "red"}
_KIND_COLOURS: Final[dict[Kind, str]] = {"liquidation": "yellow", "funding": "blue", "note": "blue"}
_LIQUIDATED: Final = {"sell": "Long liquidated", "buy": "Short liquidated", "": "Liquidated"}
_LARGE: Final = {"buy": "Large buy", "sell": "Large sell", "": "Large trade"}
_MARK_SIZE: Final = 14
Bars = dict[int, list[ChartMark]]


def by_bar(marks: Sequence[ChartMark], starts: Sequence[int]) -> Bars:
    """Return at most PER_BAR marks for each bar that has any, ascending.

    `starts` are the bars' starts, ascending. Of funding only the last of a bar is shown; of
    trades too many for a bar, those that paid most.
    """
    bars: Bars = {}
    for mark in marks:
        index = bisect_right(starts, mark.time) - 1
        if index >= 0:
            bars.setdefault(starts[index], []).append(mark)
    return {start: _foremost(bar) for start, bar in sorted(bars.items())}


def _foremost(bar: list[ChartMark]) -> list[ChartMark]:
    funding = [mark for mark in bar if mark.kind == "funding"][-1:]
    rest = [mark for mark in bar if mark.kind != "funding"]
    rest.sort(key=lambda mark: (mark.is_trade, mark.value or 0.0), reverse=True)
    kept = [*funding, *rest[: PER_BAR - len(funding)]]
    return sorted(kept, key=lambda mark: (mark.time_us, mark.sequence, mark.id))


def udf_marks(bars: Bars, market: Market) -> list[dict[str, Any]]:
    """Return marks as the widget draws them on bars."""
    return [
        {
            "id": mark.id,
            "time": start,
            "color": colour(mark),
            "text": escape(sentence(mark, market), quote=False),
            "label": _LETTERS[mark.kind],
            "labelFontColor": "black",
            "minSize": _MARK_SIZE,
        }
        for start, bar in bars.items()
        for mark in bar
    ]


def timescale_marks(bars: Bars, market: Market) -> list[dict[str, Any]]:
    """Return one mark for each bar and kind, as the widget draws them on the time scale."""
    found = []
    for start, bar in bars.items():
        kinds: dict[Kind, list[ChartMark]] = {}
        for mark in bar:
            kinds.setdefault(mark.kind, []).append(mark)
        found += [
            {
                "id": f"{_LETTERS[kind]}{start}",
                "time": start,
                "color": colour(marks[-1]),
                "label": _LETTERS[kind],
                "tooltip": [escape(sentence(mark, market), quote=False) for mark in marks],
            }
            for kind, marks in kinds.items()
        ]
    return found


def colour(mark: ChartMark) -> str:
    """Return one of the widget's colours: by kind, and of large trades by side."""
    return _KIND_COLOURS.get(mark.kind) or _COLOURS.get(mark.side, "blue")


def sentence(mark: ChartMark, market: Market) -> str:
    """Return what happened, in words."""
    if mark.kind == "note":
        return mark.label
    if mark.kind == "funding":
        rate = 100 * (mark.value or 0.0)
        return f"Funding {'+' if rate > 0 else ''}{figure(rate)} %"
    words = (_LIQUIDATED if mark.kind == "liquidation" else _LARGE).get(mark.side, mark.side)
    paid = f"{figure(mark.value or 0.0)} {market.spec.quote}".rstrip()
    return words + f": {paid}" + (f" at {figure(mark.price)}" if mark.price is not None else "")


def figure(value: float) -> str:
    """Return a number with six digits, grouped, never with an exponent: `2,431.18`."""
    if value == 0:
        return "0"
    decimals = min(max(_DIGITS - 1 - floor(log10(abs(value))), 0), _DECIMALS_MAX)
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


def mark_rows(marks: Sequence[ChartMark]) -> list[dict[str, Any]]:
    """Return marks as plain rows; what is not known is absent."""
    return [_row(mark) for mark in marks]


def _row(mark: ChartMark) -> dict[str, Any]:
    row = {
        "id": mark.id,
        "kind": mark.kind,
        "time": mark.time_us / 1_000_000,
        "value": mark.value,
        "price": mark.price,
        "size": mark.size,
        "side": mark.side or None,
        "label": mark.label or None,
        "sequence": str(mark.sequence),
        "transaction_hash": mark.transaction_hash or None,
    }
    return {name: value for name, value in row.items() if value is not None}
