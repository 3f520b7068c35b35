"""Read request bodies up to a limit, unpacked if they come as gzip.

The limit counts what is unpacked, so a small body cannot become a large one.
"""

import zlib
from collections.abc import AsyncIterator
from typing import Any, Final

import sanic

from appliance.errors import BadRequest, TooLarge

_GZIP: Final = 16 + zlib.MAX_WBITS  # zlib's way to say: with a gzip header
_THROWN_AWAY: Final = 16 << 20
"""How much beyond the limit is received, so that the sender gets to read why it was refused: a
connection closed while bytes arrive is reset, and the answer with it."""
_ENCODINGS: Final = ("", "identity", "gzip", "x-gzip")


async def read(request: sanic.Request, limit: int) -> bytes:
    """Return the body of a request to a streaming route, unpacked.

    Raises:
        BadRequest: the encoding is not known, or the body is not what it says.
        TooLarge: the body, as sent or unpacked, is longer than `limit`.
    """
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in _ENCODINGS:
        raise BadRequest(f"Content-Encoding must be gzip or absent, was {encoding[:32]!r}")
    body = await _received(request, limit)
    return _unpacked(body, limit) if encoding.endswith("gzip") else body


async def _received(request: sanic.Request, limit: int) -> bytes:
    chunks: list[bytes] = []
    length = 0
    async for chunk in _chunks(request):
        length += len(chunk)
        if length <= limit:
            chunks.append(chunk)
        elif length > limit + _THROWN_AWAY:
            break
    if length > limit:
        raise _too_large(limit)
    return b"".join(chunks)


async def _chunks(request: sanic.Request) -> AsyncIterator[bytes]:
    stream: Any = request.stream  # of HTTP/1 or ASGI; their common base does not declare read()
    while stream is not None and (chunk := await stream.read()):
        yield chunk


def _unpacked(body: bytes, limit: int) -> bytes:
    """Return the members of a gzip file, one after another."""
    parts: list[bytes] = []
    room = limit
    try:
        while body:
            unpacker = zlib.decompressobj(_GZIP)
            parts.append(unpacker.decompress(body, room + 1))
            room -= len(parts[-1])
            if room < 0:
                raise _too_large(limit)
            if not unpacker.eof:
                raise BadRequest("body must be whole gzip, was cut short")
            body = unpacker.unused_data
    except zlib.error as error:
        raise BadRequest(f"body must be gzip, as Content-Encoding says, was not: {error}") from None
    return b"".join(parts)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"body must be at most {limit:,} bytes, unpacked (MAX_REQUEST_SIZE), was more")
