"""Naming: what markets are called, from what contracts say of themselves.

Anyone can deploy a contract that answers `symbol()` with anything: control characters, a page of
text, nothing at all. What leaves here is canonical (`files/symbol.py`) whatever came in.
"""

import re
import unicodedata
from typing import Final

PART: Final = 15
"""Longest asset in a pair: two and the slash stay below the 32 characters of a symbol."""
_LONGEST_SYMBOL: Final = 32
_LONGEST_NAME: Final = 64
_LONGEST_READ: Final = 256
_SPACES: Final = re.compile(r"\s+")
_FOREIGN: Final = re.compile(r"[^A-Z0-9._-]")
_ADDRESS_DIGITS: Final = 6
_LARGEST_NUMBER: Final = 2**64

_LETTERS: Final = {"₮": "T", "Ξ": "E", "₿": "B", "/": "-"}
"""Signs that well-known tokens have for a letter; dropped, USD₮0 would become USD0."""

_DOLLAR: Final = re.compile(
    r"[A-Z]{0,4}USD[A-Z]{0,2}[0-9]?(?:\.[A-Z])?|X?DAI|SDAI|FRAX|MIM|DOLA|GHO|UST|BOLD"
)
_ETHER: Final = frozenset({"ETH", "WETH", "WETH.E"})
_BITCOIN: Final = frozenset({"BTC", "WBTC", "WBTC.E", "BTCB", "BTC.B", "TBTC", "CBBTC"})
_NATIVE: Final = frozenset(
    {"BNB", "WBNB", "POL", "WPOL", "MATIC", "WMATIC", "AVAX", "WAVAX", "FTM", "WFTM", "S", "WS"}
    | {"CELO", "WCELO", "XDAI", "WXDAI", "MNT", "WMNT", "BERA", "WBERA", "HYPE", "WHYPE"}
    | {"MON", "WMON", "GLMR", "WGLMR", "KAVA", "WKAVA", "ONE", "WONE", "CRO", "WCRO"}
)


def asset(text: str) -> str:
    """Return the canonical spelling of an asset's symbol, empty when nothing of it is left."""
    return _clean(text, PART)


def market(text: str) -> str:
    """Return the canonical spelling of a market's symbol, with at most one /; may be empty."""
    base, slash, quote = text[:_LONGEST_READ].partition("/")
    if not slash:
        return _clean(text, _LONGEST_SYMBOL)
    return "/".join(part for part in (asset(base), asset(quote)) if part)


def _clean(text: str, longest: int) -> str:
    folded = unicodedata.normalize("NFKC", text[:_LONGEST_READ]).strip().upper()
    folded = "".join(_LETTERS.get(character, character) for character in folded)
    kept = _FOREIGN.sub("", _SPACES.sub("-", folded)).strip("._-")
    return kept[:longest].strip("._-")


def label(text: str) -> str:
    """Return a name for people: one line of printable characters, not too long; may be empty."""
    folded = unicodedata.normalize("NFKC", text[:_LONGEST_READ])
    spaced = _SPACES.sub(" ", folded)
    return "".join(c for c in spaced if c.isprintable()).strip()[:_LONGEST_NAME].strip()


def of_address(address: str) -> str:
    """Return what to call a contract that does not say: 0X and six digits of its address."""
    return f"0X{address[2 : 2 + _ADDRESS_DIGITS].upper()}"


def of_key(key: str) -> str:
    """Return what to call a market by its key: its number, or six digits of its hash."""
    number = int(key, 16)
    return f"MARKET-{number}" if number < _LARGEST_NUMBER else of_address(key)


def quote_rank(symbol: str) -> int:
    """Return how usual it is to quote prices in this asset: dollars 4, unknown ones 0."""
    if _DOLLAR.fullmatch(symbol):
        return 4
    ranks = ((_ETHER, 3), (_BITCOIN, 2), (_NATIVE, 1))
    return next((rank for assets, rank in ranks if symbol in assets), 0)


def quotes_first(symbol0: str, symbol1: str) -> bool:
    """Return whether the first of a pool's tokens is the better quote, so prices are inverted."""
    return quote_rank(symbol0) > quote_rank(symbol1)
