"""Read the fields of trades one by one over a whole batch; the first wrong value is named.

Volumes stay exact to the 18th digit and are cut beyond it.
"""

from collections.abc import Sequence
from decimal import ROUND_DOWN, Context, Decimal
from typing import Final

import numpy as np
import numpy.typing as npt

from appliance.errors import BadRequest
from appliance.files.record import Intake, Trade
from appliance.files.times import RULE, BadTime, microseconds
from appliance.model import DECIMALS, LOG_INDEX_BITS, VOLUME_LIMIT

LIMIT: Final = Decimal(10**20)
"""Sizes, fees and price × size stay below this: Decimal(38, 18) holds no more."""
SMALLEST_PRICE: Final = Decimal("1e-300")  # below it a double is zero or loses digits
LONGEST_TEXT: Final = 256
BLOCK_LIMIT: Final = 1 << (64 - LOG_INDEX_BITS)
LOG_LIMIT: Final = 1 << LOG_INDEX_BITS
EARLIEST_US: Final = 946_684_800_000_000  # 2000-01-01
LATEST_US: Final = 4_102_444_800_000_000  # 2100-01-01
AHEAD_US: Final = 60_000_000
"""How far ahead of the clock a trade without chain coordinates may be."""
_ZERO: Final = Decimal(0)
_TEXT_RULE: Final = f"must be 1 to {LONGEST_TEXT} characters"
_EXACT: Final = Context(prec=120, rounding=ROUND_DOWN)
"""The default context would round products to 28 digits."""


class Checks:
    """Reads one field of all trades, and raises BadRequest at the first that is wrong."""

    def __init__(self, trades: Sequence[Trade], intake: Intake) -> None:
        self.trades = trades
        self.intake = intake

    def refuse(self, index: int, field: str, rule: str, value: object) -> BadRequest:
        """Return the error that names the trade, the field, the value and the cure."""
        place = f"{self.intake.where(index)}.{field}"
        shown = str(value) if isinstance(value, Decimal) else repr(value)
        return BadRequest(f"{place} {rule}, was {shown[:80]}", place)

    def words(self, field: str, allowed: Sequence[str], default: str) -> list[str]:
        """Return a field that is one of a few words, in any case."""
        words = [(getattr(t, field) or default).lower() for t in self.trades]
        if not set(words) <= set(allowed):
            index = next(i for i, word in enumerate(words) if word not in allowed)
            rule = "must be one of " + ", ".join(filter(None, allowed))
            raise self.refuse(index, field, rule, getattr(self.trades[index], field))
        return words

    def texts(self, field: str) -> list[str]:
        """Return a text field; absent is empty."""
        texts = [getattr(t, field) or "" for t in self.trades]
        for index, text in enumerate(texts):
            if len(text) > LONGEST_TEXT:
                raise self.refuse(index, field, _TEXT_RULE, text)
        return texts

    def ids(self) -> list[str]:
        """Return the ids as text; absent is empty, but empty is wrong."""
        ids = ["" if t.id is None else str(t.id) for t in self.trades]
        for index, trade in enumerate(self.trades):
            if trade.id is not None and not 0 < len(ids[index]) <= LONGEST_TEXT:
                raise self.refuse(index, "id", f"{_TEXT_RULE}, or absent", trade.id)
        return ids

    def prices(self) -> list[Decimal]:
        """Return the prices: finite and above 0."""
        prices = [t.price for t in self.trades]
        for index, price in enumerate(prices):
            if not (price.is_finite() and SMALLEST_PRICE <= price < LIMIT):
                raise self.refuse(index, "price", "must be above 0 and below 1e20", price)
        return prices

    def sizes(self, kinds: Sequence[str]) -> list[Decimal]:
        """Return the sizes, under whichever name each was given."""
        return [self._size(index, kind) for index, kind in enumerate(kinds)]

    def _size(self, index: int, kind: str) -> Decimal:
        t = self.trades[index]
        given = [size for size in (t.size, t.amount, t.quantity) if size is not None]
        if len(given) > 1 or (not given and kind != "mark"):
            rule = "must be given once, as size, amount or quantity"
            raise self.refuse(index, "size", rule, " and ".join(map(str, given)) or None)
        size = given[0] if given else _ZERO
        if not (size.is_finite() and 0 <= size < LIMIT):
            raise self.refuse(index, "size", "must be 0 or more and below 1e20", size)
        if kind == "mark" and size:
            raise self.refuse(index, "size", "must be 0 or absent for kind mark", size)
        return size

    def quotes(self, prices: Sequence[Decimal], sizes: Sequence[Decimal]) -> list[int]:
        """Return price × size of each trade, counted in 10^-18."""
        quotes = [in_units(_EXACT.multiply(p, s)) for p, s in zip(prices, sizes, strict=True)]
        if quotes and max(quotes) >= VOLUME_LIMIT:
            index = next(i for i, quote in enumerate(quotes) if quote >= VOLUME_LIMIT)
            rule = f"times the price {prices[index]} must be below 1e20"
            raise self.refuse(index, "size", rule, sizes[index])
        return quotes

    def fees(self) -> list[Decimal]:
        """Return the fees; absent is zero, and rebates are below zero."""
        fees = [_ZERO if t.fee is None else t.fee for t in self.trades]
        for index, fee in enumerate(fees):
            if not (fee.is_finite() and abs(fee) < LIMIT):
                raise self.refuse(index, "fee", "must be above -1e20 and below 1e20", fee)
        return fees

    def on_chain(self) -> npt.NDArray[np.bool_]:
        """Return which trades have chain coordinates; half of a pair is wrong."""
        for index, trade in enumerate(self.trades):
            if trade.block_number is not None or trade.log_index is not None:
                self._coordinate(index, "block_number", trade.block_number, BLOCK_LIMIT)
                self._coordinate(index, "log_index", trade.log_index, LOG_LIMIT)
        return np.array([t.block_number is not None for t in self.trades], np.bool_)

    def _coordinate(self, index: int, field: str, value: int | None, limit: int) -> None:
        if value is None:
            rule = "must be given, as block_number and log_index go together"
            raise self.refuse(index, field, rule, None)
        if not 0 <= value < limit:
            raise self.refuse(index, field, f"must be from 0 to {limit - 1}", value)

    def times(self, on_chain: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """Return the times in microseconds, within what is accepted."""
        values = [t.time for t in self.trades]
        try:
            times = microseconds(values)
        except BadTime as error:
            raise self.refuse(error.index, "time", RULE, values[error.index]) from None
        latest = np.where(on_chain, LATEST_US, self.intake.latest_us)
        wrong = (times < EARLIEST_US) | (times > latest)
        if wrong.any():
            index = int(wrong.argmax())
            rule = "must be from 2000-01-01 to one minute ahead (on a chain: to 2100)"
            raise self.refuse(index, "time", rule, values[index])
        return times


def in_units(value: Decimal) -> int:
    """Return `value` counted in 10^-18, cut toward zero beyond the 18th digit."""
    return int(_EXACT.scaleb(value, DECIMALS))
