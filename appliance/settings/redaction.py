"""What may be shown of the value of a secret setting."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

Redaction = Callable[[Any], str]


def without_password(url: str) -> str:
    """Return `url` without what may be secret: the password, and options, which may hold keys."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    query = "?***" if parts.query else ""
    return f"{parts.scheme}://{name}{colon and ':***'}{at}{host}{parts.path}{query}"


def host_only(url: str) -> str:
    """Return scheme, host and port of `url`: nodes take their keys in the path, among others."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    bare = f"{parts.scheme}://{host}"
    return bare if url.rstrip("/") == bare else f"{bare}/***"


def hosts_only(urls: Sequence[str]) -> str:
    """Return the same of several."""
    return ",".join(host_only(url) for url in urls)


def number_only(secrets: Sequence[object]) -> str:
    """Return how many secrets there are."""
    return f"({len(secrets)} set)"


def presence_only(_: object) -> str:
    """Return that there is a secret."""
    return "(set)"
