"""`/history` over HTTP as it is put together from chunks: bytes, tags, compression."""

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from appliance.chunks.chunk import Chunk
from appliance.chunks.pieces import Newest, Pieces
from appliance.datafeed import History
from appliance.web.encoding import accepts_gzip
from appliance.web.history import body_of
from tests.web_server import MINUTE_0, FakeDatafeed, Web, serving

PATH = "/api/tradingview/history?symbol=GOLD&resolution=1&from=1&to=2"
BROWSER = "gzip, deflate, br, zstd"


def chunk(rows: int, first: int = MINUTE_0) -> Chunk:
    numbers = [[(row + c) / 7 for row in range(rows)] for c in range(8)]
    counts = [[row << 20 for row in range(rows)] for _ in range(3)]
    return Chunk(
        first, first + 60 * rows, [[first + 60 * r for r in range(rows)], *numbers, *counts]
    )


def newest(number: int, start: int) -> Newest:
    return Newest.of(number, (start, 1.0, 1e16, 1e-7, 2.5, 0.1, *[0.0] * 3, 1, 2, 3))


@dataclass
class FromChunks(FakeDatafeed):
    """Answers every question with the same pieces."""

    pieces: Pieces | None = None
    is_at_once: bool = True

    async def candles(self, *_: Any, **__: Any) -> History:
        return History(None, None, None, self.is_settled, self.pieces)

    def known(self, *_: Any) -> tuple[Pieces, bool] | None:
        return (self.pieces, self.is_settled) if self.pieces and self.is_at_once else None


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with serving() as running:
        yield running


@pytest.fixture
def fake(web: Web, monkeypatch: pytest.MonkeyPatch) -> FromChunks:
    """Let the server answer from chunks."""
    fake = FromChunks(web.datafeed.catalogue)
    monkeypatch.setattr(web.datafeed, "candles", fake.candles, raising=False)
    monkeypatch.setattr(web.datafeed, "ready", fake.known, raising=False)
    return fake


def ask(web: Web, **headers: str) -> Any:
    """Ask for history without urllib3 undoing the compression."""
    url = f"http://127.0.0.1:{web.port}{PATH}"
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.pool.request("GET", url, headers=sent, decode_content=False)


@pytest.mark.parametrize("is_at_once", [True, False])
def test_the_text_is_what_an_encoder_writes(web: Web, fake: FromChunks, is_at_once: bool) -> None:
    """Of rows of several chunks and the forming candle, byte for byte."""
    one, two = chunk(5), chunk(3, MINUTE_0 + 300)
    fake.pieces = Pieces([(one, 2, 5), (two, 0, 3)], newest(1, MINUTE_0 + 480))
    found = fake.pieces.candles()
    fake.is_at_once = is_at_once
    columns = dict(zip("tohlcv", (getattr(found, n) for n in found.__slots__[:6]), strict=True))
    assert len(found) == 7
    assert msgspec.json.encode({"s": "ok"} | columns) == ask(web).data


def test_a_chunk_that_grows_answers_the_same(fake: FromChunks) -> None:
    """What was made of its first rows stays, and what is added joins the text."""
    grown, whole = chunk(3), chunk(6)
    first = Pieces([(grown, 1, 3)], None)
    before = (first.tag, body_of(first))
    for row in range(3, 6):
        grown.append([column[row] for column in whole.columns])
    again = Pieces([(grown, 1, 3)], None)
    assert before == (again.tag, body_of(again))
    assert body_of(Pieces([(whole, 0, 6)], None)) == body_of(Pieces([(grown, 0, 6)], None))


def test_compressed_answers_are_the_same_bytes(web: Web, fake: FromChunks) -> None:
    """Caches on the way are told what the answer depends on."""
    fake.pieces = Pieces([(chunk(200), 0, 200)], None)
    plain, packed = ask(web), ask(web, Accept_Encoding=BROWSER)
    assert plain.data == gzip.decompress(packed.data)
    assert len(packed.data) < len(plain.data) / 2
    assert "gzip" == packed.headers["content-encoding"]
    assert "content-encoding" not in plain.headers
    for answer in (plain, packed):
        assert "accept-encoding" in answer.headers["vary"].lower()
        assert len(answer.data) == int(answer.headers["content-length"])
        assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("rows", [0, 15, 16, 700])
def test_the_forming_candle_goes_between_what_is_compressed(
    web: Web, fake: FromChunks, rows: int
) -> None:
    """Of the same closed candles, which are compressed once, whatever the newest becomes."""
    held, start = chunk(rows + 40), MINUTE_0 + 60 * (rows + 40)
    parts = [(held, 0, rows), (held, rows, rows + 40)] if rows else []
    pieces = fake.pieces = Pieces(parts, newest(1, start))
    seen, packed = set(), []
    for number in range(2, 5):
        plain = ask(web).data
        body = ask(web, Accept_Encoding=BROWSER).data
        assert plain == (gzip.decompress(body) if rows else body)
        assert (rows + 41 if rows else 1) == len(msgspec.json.decode(plain)["t"])
        packed.append(list(pieces.packed))
        seen.add(plain)
        pieces.renew(Newest.of(number, (start, *[float(number)] * 8, 1, 2, 3)))
    assert len(seen) == 3
    assert packed[0] == packed[1] == packed[2]


def test_large_answers_are_compressed_too(web: Web, fake: FromChunks) -> None:
    """Beside the event loop."""
    fake.pieces = Pieces([(chunk(5_000), 0, 5_000)], None)
    assert gzip.decompress(ask(web, Accept_Encoding="gzip").data) == ask(web).data


def test_small_answers_are_not_compressed(web: Web, fake: FromChunks) -> None:
    fake.pieces = Pieces([(chunk(3), 0, 3)], None)
    assert "content-encoding" not in ask(web, Accept_Encoding=BROWSER).headers


def test_tags_tell_both_forms_apart_and_each_brings_304(web: Web, fake: FromChunks) -> None:
    """A strong tag names bytes; whichever the caller holds, it need not be sent again."""
    fake.pieces = Pieces([(chunk(200), 0, 200)], None)
    tags = [ask(web).headers["etag"], ask(web, Accept_Encoding=BROWSER).headers["etag"]]
    assert len(set(tags)) == 2
    for tag in tags:
        for accepted in ("identity", BROWSER):
            again = ask(web, If_None_Match=f'"x", W/{tag}', Accept_Encoding=accepted)
            assert (304, b"") == (again.status, again.data)
            assert again.headers["etag"] in tags
            assert "accept-encoding" in again.headers["vary"].lower()
            assert "content-encoding" not in again.headers


def test_every_other_text_has_another_tag(web: Web, fake: FromChunks) -> None:
    """Other rows, another chunk, the forming candle a moment later."""
    held = [chunk(20) for _ in range(8)]
    pieces = [
        Pieces([(held[0], 0, 20)], None),
        Pieces([(held[0], 0, 19)], None),
        Pieces([(held[0], 1, 20)], None),
        Pieces([(held[1], 0, 20)], None),
        Pieces([(held[0], 0, 20)], newest(1, MINUTE_0)),
        Pieces([(held[0], 0, 20)], newest(2, MINUTE_0)),
        Pieces([], newest(2, MINUTE_0)),
        Pieces([(each, 0, 20) for each in held], None),
        Pieces([(each, 0, 20) for each in held[:7]], None),
    ]
    tags = []
    for each in pieces:
        fake.pieces = each
        tags.append(ask(web).headers["etag"])
    assert len(pieces) == len(set(tags))
    assert all(re.fullmatch('"[0-9a-f.-]{3,80}"', tag) for tag in tags)


def test_a_head_has_the_length_of_the_answer(web: Web, fake: FromChunks) -> None:
    fake.pieces = Pieces([(chunk(200), 0, 200)], None)
    head = web.ask(PATH, "HEAD")
    assert (200, b"") == (head.status, head.body)
    assert len(ask(web).data) == int(head.headers["content-length"])


def test_shared_caches_may_keep_what_is_settled(web: Web, fake: FromChunks) -> None:
    fake.pieces = Pieces([(chunk(200), 0, 200)], None)
    assert "no-cache" == ask(web).headers["cache-control"]
    fake.is_settled = True
    assert "s-maxage=30" in ask(web).headers["cache-control"]


def test_what_is_made_is_made_once(web: Web, fake: FromChunks) -> None:
    """It stays with the pieces, which the cache counts."""
    pieces = fake.pieces = Pieces([(chunk(200), 0, 200)], None)
    ask(web, Accept_Encoding=BROWSER)
    assert {"udf.gzip"} == set(pieces.made)
    pieces.made["udf.gzip"] = b"as it was"
    assert b"as it was" == ask(web, Accept_Encoding=BROWSER).data


@pytest.mark.parametrize(
    ("accepted", "wanted"),
    [
        *(("", False), ("identity", False), ("br", False), ("gzip", True), ("GZIP", True)),
        *(("br;q=1.0, gzip;q=0.8", True), ("gzip;q=0", False), ("*", True), ("*;q=0", False)),
        *(("gzip;q=0, *", False), ("deflate, gzip; q=0.000", False), ("x-gzip", True)),
    ],
)
def test_who_reads_gzip(accepted: str, wanted: bool) -> None:
    assert wanted == accepts_gzip(accepted)
