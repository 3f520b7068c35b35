"""Answers of `/history` put together from texts that are ready: no number is written again.

What was put together and compressed stays with the candles it is made of, until one of them
changes or memory is needed; so mostly there is nothing to do.
"""

import asyncio
import zlib
from functools import lru_cache
from typing import Final

import sanic
from sanic import HTTPResponse

from appliance.chunks.pieces import Pieces
from appliance.web.answers import JSON, Ready, holds

_HEADS: Final = (b'{"s":"ok","t":[', b'],"o":[', b'],"h":[', b'],"l":[', b'],"c":[', b'],"v":[')
_END: Final = b"]}"
_BODY: Final = "udf"
_PACKED: Final = "udf.gzip"
_SMALLEST: Final = 1_000
"""Shorter answers fit into one packet anyway."""
_LARGE: Final = 100_000
"""Longer ones would hold up everybody else while they are compressed."""
_LEVEL: Final = 1
"""Of 9: columns of numbers become a third at once, and hardly less with more effort."""


async def bars(request: sanic.Request, pieces: Pieces, cache: str) -> HTTPResponse:
    """Return bars as columns, compressed where that is wanted, or 304 if the caller holds them."""
    body = pieces.made.get(_BODY)
    if body is None:
        body = pieces.made[_BODY] = body_of(pieces)
    gzip = len(body) >= _SMALLEST and accepts_gzip(request.headers.get("accept-encoding", ""))
    tag = pieces.tag
    etag = f'"{tag}-gzip"' if gzip else f'"{tag}"'
    headers = {"cache-control": cache, "vary": "Accept-Encoding", "etag": etag}
    known = request.headers.get("if-none-match")
    if known and (holds(known, f'"{tag}"') or holds(known, f'"{tag}-gzip"')):
        return Ready(None, 304, headers)
    if gzip:
        headers["content-encoding"] = "gzip"
        body = await _packed(pieces, body)
    return Ready(body, 200, headers, JSON)


async def _packed(pieces: Pieces, body: bytes) -> bytes:
    packed = pieces.made.get(_PACKED)
    if packed is None:
        large = len(body) > _LARGE
        packed = await asyncio.to_thread(_compressed, body) if large else _compressed(body)
        pieces.made[_PACKED] = packed
    return packed


def _compressed(body: bytes) -> bytes:
    gzip = zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)
    return gzip.compress(body) + gzip.flush()


@lru_cache(256)
def accepts_gzip(accepted: str) -> bool:
    """Return whether a caller with this Accept-Encoding can read gzip."""
    weights = {}
    for word in accepted.lower().split(","):
        name, _, weight = word.partition(";")
        weights[name.strip()] = weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", False)))


def body_of(pieces: Pieces) -> bytes:
    """Return the JSON of the bars; there is at least one."""
    words: list[bytes] = []
    for head, text in zip(_HEADS, pieces.texts(), strict=True):
        words += (head, text)
    words.append(_END)
    return b"".join(words)
