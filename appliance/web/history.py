"""Answers of `/history` put together from texts that are ready: no number is written again.

Compressed answers are put together, too. The columns of closed candles are compressed once, each
as blocks of their own that end on a byte (RFC 1951, a full flush); what changes with each trade
goes between them as stored blocks; header and trailer are those of RFC 1952.
"""

import asyncio
import zlib
from typing import Final, NamedTuple

import sanic
from sanic import HTTPResponse

from appliance.chunks.pieces import Pieces
from appliance.web.answers import JSON, REVALIDATE, SETTLED, holds
from appliance.web.encoding import accepts_gzip

_HEADS: Final = (b'{"s":"ok","t":[', b'],"o":[', b'],"h":[', b'],"l":[', b'],"c":[', b'],"v":[')
_END: Final = b"]}"
_ENDS: Final = ('"', '-gzip"')
"""What follows the tag of an answer that is plain, and of one that is compressed."""
_PLAIN: Final = "udf"
_GZIP: Final = "udf.gzip"
_FEW: Final = 16
"""So many bars fit into one packet anyway."""
_LARGE: Final = 2_000
"""So many would hold up everybody else while they are compressed."""
_LEVEL: Final = 4
"""Of 9: one more takes three times as long, for a fourteenth less."""
_RAW: Final = -zlib.MAX_WBITS
_GZIP_HEAD: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


class Body(NamedTuple):
    """What is sent of some bars, and the entity tag that names these bytes and no others."""

    text: bytes
    etag: str
    gzip: bool


async def bars(request: sanic.Request, pieces: Pieces, is_settled: bool) -> HTTPResponse:
    """Return bars as columns, compressed where that is wanted, or 304 if the caller holds them."""
    headers = {"cache-control": SETTLED if is_settled else REVALIDATE, "vary": "Accept-Encoding"}
    gzip = accepts_gzip(request.headers.get("accept-encoding", ""))
    body = ready_body(pieces, gzip=gzip)
    if body is None:
        await _pack(pieces)
        body = Body(_gzip_of(pieces), pieces.tag + _ENDS[True], gzip=True)
    headers["etag"] = body.etag
    known = request.headers.get("if-none-match", "")
    if any(holds(known, pieces.tag + end) for end in _ENDS):
        return HTTPResponse(status=304, headers=headers)
    if body.gzip:
        headers["content-encoding"] = "gzip"
    return HTTPResponse(body.text, 200, headers, JSON)


def ready_body(pieces: Pieces, *, gzip: bool) -> Body | None:
    """Return the bars' bytes, None where they must be compressed first."""
    if not gzip or (not pieces.packed and len(pieces) < _FEW):
        return Body(_plain_of(pieces), pieces.tag + _ENDS[False], gzip=False)
    if not pieces.packed:
        return None
    return Body(_gzip_of(pieces), pieces.tag + _ENDS[True], gzip=True)


def _plain_of(pieces: Pieces) -> bytes:
    body = pieces.made.get(_PLAIN)
    if body is None:
        body = pieces.made[_PLAIN] = body_of(pieces)
    return body


def body_of(pieces: Pieces) -> bytes:
    """Return the JSON of the bars; there is at least one."""
    words: list[bytes] = []
    for head, text in zip(_HEADS, pieces.texts(), strict=True):
        words += (head, text)
    words.append(_END)
    return b"".join(words)


async def _pack(pieces: Pieces) -> None:
    """Compress what does not change any more; a long answer in a thread."""
    texts = pieces.closed_texts()
    if len(pieces) > _LARGE:
        pieces.packed = await asyncio.to_thread(_deflated, texts)
    else:
        pieces.packed = _deflated(texts)


def _deflated(texts: list[bytes]) -> list[bytes]:
    """Return heads and columns as blocks that stand for themselves, whatever is between them."""
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW)
    return [
        deflate.compress(head + text) + deflate.flush(zlib.Z_FULL_FLUSH)
        for head, text in zip(_HEADS, texts, strict=True)
    ]


def _gzip_of(pieces: Pieces) -> bytes:
    body = pieces.made.get(_GZIP)
    if body is None:
        body = pieces.made[_GZIP] = _gzipped(pieces)
    return body


def _gzipped(pieces: Pieces) -> bytes:
    texts, newest = pieces.closed_texts(), pieces.newest
    comma = b"," if pieces.rows else b""
    words, crc, size = [_GZIP_HEAD], 0, len(_END)
    for c, (head, text) in enumerate(zip(_HEADS, texts, strict=True)):
        words.append(pieces.packed[c])
        crc = zlib.crc32(text, zlib.crc32(head, crc))
        size += len(head) + len(text)
        if newest is not None:
            last = comma + newest.texts[c]
            words.append(_stored(last))
            crc = zlib.crc32(last, crc)
            size += len(last)
    words.append(_stored(_END, is_last=True))
    words.append(zlib.crc32(_END, crc).to_bytes(4, "little") + size.to_bytes(4, "little"))
    return b"".join(words)


def _stored(text: bytes, *, is_last: bool = False) -> bytes:
    """Return a short text as a block that is not compressed (RFC 1951, 3.2.4)."""
    size = len(text)
    return b"%c%b%b%b" % (
        is_last,
        size.to_bytes(2, "little"),
        (size ^ 0xFFFF).to_bytes(2, "little"),
        text,
    )
