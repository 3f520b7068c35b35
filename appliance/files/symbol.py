"""Symbols: their one canonical spelling, and the assets they name."""

import re
import unicodedata
from typing import Final

from appliance.errors import BadRequest

LONGEST: Final = 32
DEFAULT_QUOTE: Final = "USD"
_PART: Final = r"[A-Z0-9._-]*[A-Z0-9][A-Z0-9._-]*"  # a part of dots only would be no name
_PATTERN: Final = re.compile(rf"{_PART}(?:/{_PART})?")


def canonical_symbol(text: str, field: str = "symbol") -> str:
    """Return the canonical spelling of `text`: NFKC, upper case, at most 32 characters.

    Raises:
        BadRequest: a character is not allowed, or there are too many.
    """
    symbol = unicodedata.normalize("NFKC", text[: LONGEST * 4]).strip().upper()
    if len(text) > LONGEST * 4 or len(symbol) > LONGEST or not _PATTERN.fullmatch(symbol):
        raise BadRequest(
            f"{field} must be up to {LONGEST} letters, digits and . _ - with at most one /, "
            f"was {text[:64]!r}",
            field,
        )
    return symbol


def assets(symbol: str) -> tuple[str, str]:
    """Return the base and the quote asset of a canonical symbol: GOLD is GOLD in USD."""
    base, _, quote = symbol.partition("/")
    return base, quote or DEFAULT_QUOTE
