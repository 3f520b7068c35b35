"""The files of the page, as they lie in `static`, packed for browsers that unpack.

A file is packed once and kept until it changes: the chart library takes longer to pack than to
send. Packed scripts of ours go without the comments that have lines of their own, a third of what
would be sent; the lines stay, so that errors name the right ones.
"""

import gzip
import re
from functools import lru_cache
from pathlib import Path
from typing import Final

import sanic
from sanic import HTTPResponse

from appliance import resources
from appliance.web.encoding import accepts_gzip

CSS: Final = "text/css; charset=utf-8"
_TYPES: Final = {
    ".css": CSS,
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}
_PACKED: Final = frozenset({".css", ".js", ".mjs", ".json", ".svg"})
"""The others are packed by their own formats."""
_COMMENT: Final = re.compile(rb"^[ \t]*(?://.*|/\*(?:(?!\*/)[\s\S])*\*/[ \t]*)$", re.MULTILINE)
SHEETS: Final = {
    "css/dashboard.css": (
        *("tokens", "base", "layout", "bar", "markets", "head", "chart", "tape", "panel"),
        *("strip", "states", "menus", "narrow"),
    ),
    "css/frame.css": ("tokens", "base", "chart", "states", "embed"),
}
"""Sheets of which a page needs all before it is painted: sent as one, in this order."""
_TEXT: Final = "text/plain; charset=utf-8"
_LEVEL: Final = 6
_KEPT: Final = 512


def static_file(path: str) -> Path | None:
    """Return the file below `static` that `path` names, None if there is no such file there."""
    root = resources.folder("static").resolve()
    if "\0" in path:
        return None
    file = (root / path).resolve()
    if not file.is_relative_to(root) or not file.is_file() or file.suffix == ".py":
        return None
    return file


def content(file: Path, *, pack: bool) -> tuple[bytes, str, bool]:
    """Return content, type, and whether it is packed."""
    kind = _TYPES.get(file.suffix, _TEXT)
    if not pack or file.suffix not in _PACKED:
        return file.read_bytes(), kind, False
    return _packed_file(file, file.stat().st_mtime_ns), kind, True


@lru_cache(_KEPT)
def _packed_file(file: Path, changed_ns: int) -> bytes:
    """Return a file as it was at `changed_ns`, by which versions are told apart."""
    body = file.read_bytes()
    return packed(without_comments(body) if file.suffix == ".js" else body)


def without_comments(script: bytes) -> bytes:
    """Return a script of ours with empty lines in the place of its comments.

    tests/js/page.test.js sees to it that no template literal holds a line that looks like one.
    """
    return _COMMENT.sub(lambda found: b"\n" * found[0].count(b"\n"), script)


def sheets(path: str, *, pack: bool) -> bytes:
    """Return the sheets of a page as one, packed or not.

    Raises:
        KeyError: no page has its sheets there.
    """
    folder = resources.folder("static") / "css"
    files = [folder / f"{name}.css" for name in SHEETS[path]]
    body = _joined(tuple((file, file.stat().st_mtime_ns) for file in files))
    return _packed_sheets(body) if pack else body


@lru_cache(len(SHEETS))
def _joined(versions: tuple[tuple[Path, int], ...]) -> bytes:
    return b"\n".join(file.read_bytes() for file, _ in versions)


@lru_cache(len(SHEETS))
def _packed_sheets(body: bytes) -> bytes:
    return packed(body)


def packed(body: bytes) -> bytes:
    """Return `body` as gzip; equal bodies give equal bytes, so their entity tags hold."""
    return gzip.compress(body, _LEVEL, mtime=0)


def unpacks(request: sanic.Request) -> bool:
    """Return whether the caller takes gzip."""
    return accepts_gzip(request.headers.get("accept-encoding", ""))


def with_encoding(response: HTTPResponse, is_packed: bool) -> HTTPResponse:
    """Say what the body is, and that it depends on what the caller takes."""
    response.headers["vary"] = "Accept-Encoding"
    if is_packed and response.status != 304:
        response.headers["content-encoding"] = "gzip"
    return response
