"""What a setting's text means, and what is said when it means nothing.

Each parser takes the text and returns the value. A ValueError says what the text must be, and
never repeats the text where it may be a secret.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

Parser = Callable[[str], Any]
Scope = Literal["read", "write", "admin"]
SCOPES: Final[tuple[Scope, ...]] = ("read", "write", "admin")
SHORTEST_KEY: Final = 8
"""Characters; shorter keys are guessed."""
_DIGITS_MAX: Final = 15
_SIZE: Final = re.compile(rf"([0-9]{{1,{_DIGITS_MAX}}})\s*([kmg]?)b?", re.IGNORECASE)
_SIZE_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_KEPT: Final = re.compile(r"(?:1s|1m|5m|15m|1h|4h)=[1-9][0-9]{0,4}d")
_HOST: Final = re.compile(r"[A-Za-z0-9.:_-]+")
_HEADER: Final = re.compile(r"[A-Za-z0-9-]+")
_KEY: Final = re.compile(r"[!-~]+")  # what a header can carry
HIGHEST_BLOCK: Final = 2**44 - 1
"""A trade's sequence has 44 bits for its block."""
MOST_CONFIRMATIONS: Final = 100_000
_PRESET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ADDRESS: Final = re.compile(r"0[xX][0-9a-fA-F]{40}")
_ORIGIN: Final = re.compile(r"https?://[^/\s?#@]+", re.IGNORECASE)
_RESOLUTION: Final = re.compile(r"[1-9][0-9]{0,3}[SDWM]?|[DWM]")
_STORE: Final = "chdb:///path or clickhouse://user:password@host:8443/database"
_WORDS: Final = {"true": True, "1": True, "on": True, "yes": True} | {
    "false": False,
    "0": False,
    "off": False,
    "no": False,
}


@dataclass(frozen=True, slots=True, repr=False)  # repr would show the key
class ApiKey:
    """A key that callers send, and what it allows."""

    key: str
    scope: Scope


def integer(low: int, high: int) -> Parser:
    """Return the parser of whole numbers in a range, both ends included."""

    def parse(text: str) -> int:
        plain = text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX
        if not plain or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low:,} to {high:,}")
        return int(text)

    return parse


def choice(*choices: str) -> Parser:
    """Return the parser of a few words, in any case."""

    def parse(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError("one of " + ", ".join(choices))
        return text.lower()

    return parse


def switch(text: str) -> bool:
    """Return whether something is on."""
    if text.lower() not in _WORDS:
        raise ValueError("true or false")
    return _WORDS[text.lower()]


def size(text: str) -> int:
    """Return a number of bytes."""
    match = _SIZE.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise ValueError("a size in bytes, like 10mb or 65536")
    return int(match[1]) * _SIZE_UNITS[match[2].lower()]


def size_or_none(text: str) -> int:
    """Return a number of bytes, 0 for none."""
    return 0 if text == "0" else size(text)


def candle_retention(text: str) -> tuple[str, ...]:
    """Return words like 1s=7d: how many days the candles of an interval are kept."""
    found = _words(text)
    if not all(_KEPT.fullmatch(word) for word in found):
        raise ValueError(
            "a comma list like 1s=7d,1m=90d, of 1s, 1m, 5m, 15m, 1h, 4h and whole days "
            "(1d candles are always kept)"
        )
    if len({word.partition("=")[0] for word in found}) < len(found):
        raise ValueError("a comma list in which each interval appears once")
    return found


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def host(text: str) -> str:
    """Return an address to listen on."""
    if not _HOST.fullmatch(text):
        raise ValueError("a host name or an IP address, like 127.0.0.1 or 0.0.0.0")
    return text


def header(text: str) -> str:
    """Return the name of a header."""
    if not _HEADER.fullmatch(text):
        raise ValueError("a header's name of letters, digits and -, like X-API-Key")
    return text


def directory(text: str) -> Path:
    """Return the path of a directory, which may not exist yet."""
    try:
        path = Path(text).expanduser()
        fits = bool(text) and not set("?#") & set(text)  # which would end the store's address
        fits = fits and (path.is_dir() or not path.exists())
    except (OSError, RuntimeError):  # no such name can be, or no such user
        fits = False
    if not fits:
        raise ValueError("the path of a directory without ? and #, which may not exist yet")
    return path


def store_url(text: str) -> str:
    """Return the address of a store."""
    try:
        parts = urlsplit(text)
        whole = parts.port != 0  # reading the port checks it
    except ValueError:  # its words may hold a piece of the password
        raise ValueError(f"{_STORE}, special characters of the password as %23") from None
    if parts.scheme == "chdb":
        whole = text.startswith("chdb:///") and len(parts.path) > 1
    elif parts.scheme in ("clickhouse", "clickhouses"):
        whole = whole and bool(parts.hostname)
    else:
        raise ValueError(_STORE)
    if not whole:
        raise ValueError(f"complete: {_STORE}")
    return text


def cache_url(text: str) -> str:
    """Return the address of a cache."""
    if text != "memory://" and not (text.startswith("disk:///") and len(text) > len("disk:///")):
        raise ValueError("disk:///path or memory://")
    return text


def api_keys(text: str) -> tuple[ApiKey, ...]:
    """Return keys with their scopes."""
    keys = tuple(_api_key(word) for word in _words(text))
    if len({key.key for key in keys}) < len(keys):
        raise ValueError("a comma list in which each key appears once")
    return keys


def _api_key(word: str) -> ApiKey:
    key, colon, scope = word.partition(":")
    if colon and scope not in SCOPES:
        raise ValueError("a comma list of key[:read|write|admin]")
    if len(key) < SHORTEST_KEY or not _KEY.fullmatch(key):
        raise ValueError(
            f"a comma list of keys of at least {SHORTEST_KEY} letters, digits or signs each"
        )
    return ApiKey(key, scope or "write")  # type: ignore[arg-type] # checked above


def origins(text: str) -> tuple[str, ...]:
    """Return origins as browsers spell them."""
    found = _words(text)
    if not found or not all(o == "*" or _ORIGIN.fullmatch(o) for o in found):
        raise ValueError("* or a comma list like https://app.example, without path or slash")
    return tuple(o.lower() for o in found)


def ancestors(text: str) -> tuple[str, ...]:
    """Return origins that may frame a page; none of them for the word none."""
    return () if text.strip().lower() == "none" else origins(text)


def explorer(text: str) -> str:
    """Return the address of a transaction, with a place for its hash."""
    if not _is_url(text, "http", "https") or "{hash}" not in text:
        raise ValueError("an address with {hash} in it, like https://scan.example/tx/{hash}")
    return text


def resolutions(text: str) -> tuple[str, ...]:
    """Return resolutions as TradingView spells them."""
    found = _words(text)
    if not found or not all(_RESOLUTION.fullmatch(r) for r in found):
        raise ValueError("a comma list of minutes like 1,5,60, or like 1S,1D,1W,1M")
    return found


def rpc_urls(text: str) -> tuple[str, ...]:
    """Return addresses of nodes."""
    found = _words(text)
    if not found or not all(_is_url(word, "http", "https") for word in found):
        raise ValueError("a comma list of addresses like https://node.example/key")
    if len(set(found)) < len(found):
        raise ValueError("a comma list in which each address appears once")
    return found


def ws_url(text: str) -> str:
    """Return the address at which a node announces its blocks."""
    if not _is_url(text, "ws", "wss"):
        raise ValueError("an address like wss://node.example/key")
    return text


def _is_url(text: str, *schemes: str) -> bool:
    try:
        parts = urlsplit(text)
        whole = bool(parts.hostname) and parts.port != 0  # reading the port checks it
    except ValueError:
        return False
    return whole and parts.scheme in schemes and not any(c.isspace() for c in text)


def address(text: str) -> str:
    """Return an address in lower case; digits of mixed case are its checksum (EIP-55)."""
    if not _ADDRESS.fullmatch(text):
        raise ValueError("an address of 0x and 40 hexadecimal digits")
    lower, digits = text.lower(), text[2:]
    if digits not in (digits.lower(), digits.upper()) and digits != _checksummed(lower):
        raise ValueError(
            f"an address without a typing error: the checksum in the case of {text} is wrong; "
            "copy it again, or write it in lower case"
        )
    return lower


def _checksummed(lower: str) -> str:
    """Return the digits of an address with their checksum: upper case where the hash is 8 or up."""
    from eth_hash.auto import keccak  # 20 ms that most starts do without

    digits = lower[2:]
    pairs = zip(digits, keccak(digits.encode()).hex(), strict=False)
    return "".join(digit.upper() if mark >= "8" else digit for digit, mark in pairs)


def addresses(text: str) -> tuple[str, ...]:
    """Return addresses in lower case."""
    found: dict[str, None] = {}
    for word in _words(text):
        lower = address(word)
        if lower in found:
            raise ValueError(
                f"a comma list in which each address appears once, {word} is there twice"
            )
        found[lower] = None
    if not found:
        raise ValueError("a comma list of addresses of 0x and 40 hexadecimal digits")
    return tuple(found)


def preset(text: str) -> str:
    """Return a preset's name."""
    if not _PRESET.fullmatch(text):
        raise ValueError("a preset's name of letters, digits, . _ and -, like uniswap-v3")
    return text


def file(text: str) -> str:
    """Return the path of a file that exists."""
    try:
        path = Path(text).expanduser()
        fits = path.is_file()
    except (OSError, RuntimeError, ValueError):  # no such name can be, or no such user
        fits = False
    if not fits:
        raise ValueError("the path of a readable file")
    return str(path)


def files(text: str) -> tuple[str, ...]:
    """Return paths of files that exist."""
    try:
        found = tuple(file(word) for word in _words(text))
    except ValueError:
        raise ValueError("a comma list of paths of readable files") from None
    if not found or len(set(found)) < len(found):
        raise ValueError("a comma list of paths of readable files, each once")
    return found


def webhook_secret(text: str) -> str:
    """Return the key that signs webhooks."""
    if len(text) < SHORTEST_KEY or not _KEY.fullmatch(text):
        raise ValueError(f"a key of at least {SHORTEST_KEY} letters, digits or signs")
    return text
