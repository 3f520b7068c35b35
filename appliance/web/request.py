"""A request whose target is read leniently: doubled and trailing slashes do not matter.

Sanic looks routes up by `path` and `method`; to both it is exact. HEAD is routed as GET, and the
server, which saw the real method, leaves the body out. For a target that is no URL Sanic would
close the connection without an answer.
"""

import re
import time
from typing import Any, Final

import sanic
from httptools import parse_url
from httptools.parser.errors import HttpParserInvalidURLError
from sanic.exceptions import BadURL

_SLASHES: Final = re.compile(r"/{2,}")
_UNPRINTABLE: Final = re.compile(rb"[^\x21-\x7e]")
_NO_URL: Final = b"/not-a-url"


class Request(sanic.Request):
    """One request, with the moment at which its head was read."""

    def __init__(self, url_bytes: bytes, *args: Any, **kwargs: Any) -> None:
        """Read the head of a request, as Sanic's own class does."""
        try:
            super().__init__(url_bytes, *args, **kwargs)
        except BadURL:
            super().__init__(_readable(url_bytes), *args, **kwargs)
        self.started = time.perf_counter()
        if self.method == "HEAD":
            self.method = "GET"

    @property
    def path(self) -> str:
        """Return the path without doubled or trailing slashes, still percent-encoded."""
        path: str = (self._parsed_url.path or b"/").decode("ascii", "replace")
        if "//" in path:
            path = _SLASHES.sub("/", path)
        return path.rstrip("/") or "/"


def printable(text: str) -> str:
    """Return text of a head so that it can be written anywhere: what is no UTF-8 is escaped."""
    return text.encode(errors="backslashreplace").decode()


def _readable(target: bytes) -> bytes:
    """Return a target that can be parsed: `target`, but for bytes that no URL may have."""
    target = _UNPRINTABLE.sub(lambda found: b"%%%02X" % found[0][0], target)
    try:
        parse_url(target)
    except HttpParserInvalidURLError:
        return _NO_URL
    return target
