"""An answer from ready bytes, for routes that are asked thousands of times a second.

What Sanic does with every header of every answer (look it up in a multidict, check and encode it)
takes longer than all else that such an answer needs. Here most headers are lines that were made
once; only the entity tag and the length differ from answer to answer.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from sanic import HTTPResponse

Line = tuple[bytes, bytes]
_VARY: Final = "Accept-Encoding"


class Ready(HTTPResponse):
    """A body with its entity tag. `fixed` are headers that hardly ever differ, set by security."""

    __slots__ = ("_tag", "fixed")

    def __init__(
        self,
        body: bytes | None,
        etag: str,
        cache: str,
        content_type: str | None = None,
        status: int = 200,
        *,
        gzip: bool = False,
    ) -> None:
        """Hold a body that is ready to be sent; `gzip` says that it is compressed."""
        self.asgi = False
        self.body = body
        self.status = status
        self.content_type = content_type
        self.stream = None
        self.headers: Any = _headers(cache, content_type, gzip).copy()  # no multidict is needed
        self._cookies = None
        self._tag = etag.encode()
        self.fixed: tuple[tuple[str, str], ...] = ()

    @property
    def processed_headers(self) -> Iterator[Line]:
        """Return the headers as bytes: all that are often the same as if they were one."""
        headers = self.headers
        size = headers.pop("content-length", None)
        lines = [_joined(tuple(headers.items()), self.fixed), (b"etag", self._tag)]
        if size is not None:
            lines.append((b"content-length", b"%d" % size))
        return iter(lines)


@lru_cache(64)
def _headers(cache: str, content_type: str | None, gzip: bool) -> dict[str, str]:
    headers = {"cache-control": cache, "vary": _VARY}
    if content_type is not None:
        headers["content-type"] = content_type
    if gzip:
        headers["content-encoding"] = "gzip"
    return headers


@lru_cache(256)
def _joined(changing: tuple[tuple[str, Any], ...], fixed: tuple[tuple[str, str], ...]) -> Line:
    """Return headers as one name with a value that goes on with the lines of the others."""
    headers = changing + fixed
    plain = HTTPResponse._sanitize_header_value  # what could end a header is taken out of each
    lines = [f"{plain(name)}: {plain(str(value))}" for name, value in headers]
    name, _, value = "\r\n".join(lines).partition(": ")
    return name.encode("ascii"), value.encode(errors="surrogateescape")
