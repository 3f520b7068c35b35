"""Prices and volumes of one event as exact integers, a column at a time.

A price stays a fraction of two integers until the last moment: dividing Python integers rounds
once and correctly, whatever their size.
"""

from collections.abc import Sequence
from typing import Final

from appliance.chain.form import EventForm, Number, Price, Scale, Terms
from appliance.chain.market import MarketTerms
from appliance.model import DECIMALS, VOLUME_LIMIT

Values = dict[str, list[int]]
Fraction = tuple[int, int]
Fractions = list[Fraction | None]
Problems = dict[int, str]
_Q192: Final = 2**192
_WORD: Final = 2**256


def total(terms: Terms, values: Values) -> list[int]:
    """Return the sum of the terms in every row, unscaled."""
    (name, sign), *others = terms
    column = values[name] if sign > 0 else [-v for v in values[name]]
    for name, sign in others:
        column = [a + sign * b for a, b in zip(column, values[name], strict=True)]
    return column


def exponent(scale: Scale, terms: MarketTerms) -> int:
    """Return how many digits after the point a number has."""
    if scale == "token0":
        return terms.decimals0
    return terms.decimals1 if scale == "token1" else scale


def rescale(column: Sequence[int], digits: int) -> list[int]:
    """Return numbers with `digits` after the point as 10^-18, cut toward zero."""
    if digits <= DECIMALS:
        factor = 10 ** (DECIMALS - digits)
        return [v * factor for v in column]
    divisor = 10 ** (digits - DECIMALS)
    return [v // divisor if v >= 0 else -(-v // divisor) for v in column]


def limited(column: list[int], key: str, problems: Problems) -> list[int]:
    """Return the column with what does not fit Decimal(38, 18) named in `problems`, and 0."""
    if not column or (max(column) < VOLUME_LIMIT and min(column) > -VOLUME_LIMIT):
        return column
    for row, value in enumerate(column):
        if abs(value) >= VOLUME_LIMIT:
            problems.setdefault(row, f"{key} must be below 10^20, was about {value / 10**18:.3g}")
    return [v if abs(v) < VOLUME_LIMIT else 0 for v in column]


def words(column: list[int], problems: Problems) -> list[int]:
    """Return the column with what does not fit an unsigned word named in `problems`, and 0."""
    if not column or max(column) < _WORD:
        return column
    for row, value in enumerate(column):
        if value >= _WORD:
            problems.setdefault(row, f"size must be below 2^256, was about {float(value):.3g}")
    return [v if v < _WORD else 0 for v in column]


def fractions(
    price: Price | str | None, form: EventForm, values: Values, terms: MarketTerms, marks: Fractions
) -> Fractions | None:
    """Return a price in every row, None in rows that have none; None for no price at all."""
    if price is None:
        return None
    if isinstance(price, Price):
        found = _own(price, values, terms)
    elif price == "remembered":
        return list(marks)
    else:
        found = _ratio(form.quote, form.base, values, terms)
    return [f and (f[1], f[0]) for f in found] if terms.invert else found


def _own(price: Price, values: Values, terms: MarketTerms) -> Fractions:
    if price.argument is not None:
        divisor = 10 ** (price.scale or 0)
        return [(v, divisor) for v in values[price.argument]]
    if price.sqrt_x96 is not None:
        up = 10 ** max(0, terms.decimals0 - terms.decimals1)
        down = _Q192 * 10 ** max(0, terms.decimals1 - terms.decimals0)
        return [(v * v * up, down) for v in values[price.sqrt_x96]]
    return _ratio(price.quote, price.base, values, terms)


def _ratio(
    quote: Number | None, base: Number | None, values: Values, terms: MarketTerms
) -> Fractions:
    """Return |quote / base|; a swap that moved nothing of one token has no price."""
    if quote is None or base is None:
        raise TypeError("a checked preset has both")
    digits = exponent(base.scale, terms) - exponent(quote.scale, terms)
    up, down = 10 ** max(0, digits), 10 ** max(0, -digits)
    pairs = zip(total(quote.terms, values), total(base.terms, values), strict=True)
    return [(abs(q) * up, abs(b) * down) if q and b else None for q, b in pairs]


def floats(prices: Fractions | None, key: str, problems: Problems) -> list[float | None] | None:
    """Return prices rounded once; those that are not above 0 are named in `problems`."""
    if prices is None:
        return None
    column: list[float | None] = []
    for row, price in enumerate(prices):
        if price is None:
            column.append(None)
        elif price[0] > 0 and price[1] > 0:
            column.append(price[0] / price[1])
        else:
            column.append(None)
            problems.setdefault(row, f"{key} price must be above 0")
    return column


def at_price(
    column: Sequence[int],
    digits: int,
    prices: Sequence[Fraction | None],
    times: bool,
    problems: Problems,
) -> list[int]:
    """Return numbers with `digits` after the point × price (`times`) or / price, as 10^-18.

    They are cut toward zero once, at the end.
    """
    up, down = 10 ** max(0, DECIMALS - digits), 10 ** max(0, digits - DECIMALS)
    converted: list[int] = []
    for row, (number, price) in enumerate(zip(column, prices, strict=True)):
        if price is None or price[0] <= 0 or price[1] <= 0:
            problems.setdefault(row, "the contract's mark price must be known from an earlier log")
            converted.append(0)
        elif times:
            converted.append(number * up * price[0] // (down * price[1]))
        else:
            converted.append(number * up * price[1] // (down * price[0]))
    return converted
