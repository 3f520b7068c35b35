"""What may be told of an endpoint's URL: its host and port. The rest may be a key.

In: URLs as the operator gave them. Out: names for logs and metrics, and texts in which no part of
a URL that could be a key is left.
"""

import ipaddress
import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote, urlsplit

from appliance.errors import ConfigError

_SHORTEST_KEY: Final = 8
_LOCAL_ENDINGS: Final = (".local", ".internal", ".localhost", ".lan")


def names(urls: Sequence[str], schemes: Sequence[str] = ("http", "https")) -> list[str]:
    """Return `host[:port]` for each URL; the second of a host is `host#2`.

    Raise ConfigError for a URL without a host or of another scheme, without repeating it.
    """
    found: list[str] = []
    for place, url in enumerate(urls, 1):
        name = _host_and_port(url, schemes)
        if name is None:
            wanted = " or ".join(f"{scheme}://" for scheme in schemes)
            raise ConfigError(f"endpoint URL {place} must begin with {wanted} and name a host")
        found.append(name)
    return [
        name if (nth := found[: place + 1].count(name)) == 1 else f"{name}#{nth}"
        for place, name in enumerate(found)
    ]


def local(url: str) -> bool:
    """Return whether the URL leads to this machine or network, where nobody counts requests."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith(_LOCAL_ENDINGS)


def keys(url: str) -> tuple[str, ...]:
    """Return every part of the URL that could be a key, the longest first."""
    parts = urlsplit(url)
    words = re.split(r"[/?&=;#]", f"{parts.path}?{parts.query}#{parts.fragment}")
    found = {word for word in words if len(word) >= _SHORTEST_KEY}
    found |= {word for word in (parts.username, parts.password) if word}
    found |= {unquote(word) for word in found}
    return tuple(sorted(found, key=lambda word: (-len(word), word)))


def hide(text: str, secret: Sequence[str]) -> str:
    """Return `text` with *** in place of every key."""
    for key in secret:
        text = re.sub(re.escape(key), "***", text, flags=re.IGNORECASE)
    return text


def _host_and_port(url: str, schemes: Sequence[str]) -> str | None:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # a port that is no number, brackets that do not match
        return None
    if not host or parts.scheme not in schemes:
        return None
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"
