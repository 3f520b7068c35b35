"""Read CSV, NDJSON and Parquet files as rows of named cells, in pieces.

Out: `Piece`s of at most PIECE_ROWS rows. Column names are lower case with `_` between words, so
that `Block Number` and `blockNumber` are both `block_number`. `.gz` is read as it is.
"""

import csv
import gzip
import math
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, Literal, cast

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from appliance.errors import BadRequest

Row = dict[str, Any]
Format = Literal["csv", "ndjson", "parquet"]
PIECE_ROWS: Final = 20_000
LINE_BYTES_MAX: Final = 4 << 20
_BYTE_ORDER_MARK: Final = "\ufeff"  # which spreadsheets put in front
_FORMATS: Final[dict[str, Format]] = {
    ".csv": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "ndjson",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_GAP: Final = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows of a file; `numbers` are their line (CSV, NDJSON) or row numbers, from 1."""

    rows: list[Row]
    numbers: list[int]
    word: str
    done: float
    """How much of the file has been read so far, 0 to 1."""

    def where(self, index: int) -> str:
        """Return how a person finds the row at `index`: `line 7`."""
        return f"{self.word} {self.numbers[index]}"


def column_name(text: str) -> str:
    """Return a column's name in lower case with `_` between words."""
    return _GAP.sub("_", _HUMP.sub("_", text.strip()).lower()).strip("_")


def pieces(path: Path) -> Iterator[Piece]:
    """Yield the rows of the file at `path`; its format is told by its name.

    Raises:
        BadRequest: the format is not known, or a line is broken; the message names it.
    """
    form = _format(path)
    if form == "parquet":
        yield from _parquet(path)
        return
    size = max(1, path.stat().st_size)
    with path.open("rb") as raw:
        packed = path.suffix.lower() == ".gz"
        lines = _lines(cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if packed else raw)
        numbered = _csv(lines) if form == "csv" else _ndjson(lines)
        try:
            while part := list(islice(numbered, PIECE_ROWS)):
                numbers, rows = zip(*part, strict=True)
                yield Piece(list(rows), list(numbers), "line", raw.tell() / size)
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise BadRequest(f"{path} must be a whole gzip file: {error}", "file") from None


def _format(path: Path) -> Format:
    suffix = path.with_suffix("").suffix if path.suffix.lower() == ".gz" else path.suffix
    if suffix.lower() not in _FORMATS:
        known = " ".join(_FORMATS)
        raise BadRequest(f"the file's name must end in one of {known} (or .gz), was {path.name!r}")
    return _FORMATS[suffix.lower()]


def _lines(file: IO[bytes]) -> Iterator[str]:
    """Yield the lines of a text, each with its end."""
    number = 0
    while line := file.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(line) > LINE_BYTES_MAX:
            raise BadRequest(f"line {number}: must be at most {LINE_BYTES_MAX:,} bytes, is longer")
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise BadRequest(f"line {number}: must be UTF-8: {error}") from None
        yield text if number > 1 else text.removeprefix(_BYTE_ORDER_MARK)


def _csv(lines: Iterator[str]) -> Iterator[tuple[int, Row]]:
    csv.field_size_limit(LINE_BYTES_MAX)
    records = _records(lines)
    _, cells = next(records, (1, []))
    header = [column_name(cell) for cell in cells]
    if len(set(header)) < len(header):
        raise BadRequest(f"line 1: every column needs a name of its own, was {', '.join(header)}")
    for number, cells in records:
        if len(cells) != len(header):
            raise BadRequest(
                f"line {number}: must have {len(header)} cells, as the header has, has {len(cells)}"
            )
        yield number, dict(zip(header, cells, strict=True))


def _records(lines: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the records of a CSV text that are not empty, each with the line it begins on."""
    reader = csv.reader(lines, strict=True)
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise BadRequest(f"line {number}: must be CSV: {error}") from None
        if cells is None:
            return
        if cells:
            yield number, cells


def _ndjson(lines: Iterator[str]) -> Iterator[tuple[int, Row]]:
    decoder = msgspec.json.Decoder(Row, float_hook=Decimal)  # 0.1 stays 0.1
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                row = decoder.decode(line)
            except msgspec.MsgspecError as error:
                raise BadRequest(f"line {number}: must be a JSON object: {error}") from None
            yield number, _named(list(row), list(row.values()), f"line {number}")


def _named(names: Sequence[str], cells: Sequence[Any], where: str) -> Row:
    row = dict(zip(map(column_name, names), cells, strict=True))
    if len(row) < len(cells):
        raise BadRequest(f"{where}: every column needs a name of its own, was {', '.join(names)}")
    return row


def _parquet(path: Path) -> Iterator[Piece]:
    try:
        with pq.ParquetFile(path) as file:
            total, first = max(1, file.metadata.num_rows), 1
            for batch in file.iter_batches(PIECE_ROWS):
                rows = _rows(batch)
                numbers = range(first, first + len(rows))
                first += len(rows)
                yield Piece(rows, list(numbers), "row", (first - 1) / total)
    except (OSError, pa.ArrowException) as error:
        raise BadRequest(f"{path} must be a whole Parquet file: {error}", "file") from None


def _rows(batch: pa.RecordBatch) -> list[Row]:
    names = list(_named(batch.schema.names, batch.schema.names, "the file"))
    columns = [map(_plain, column.to_pylist()) for column in batch.columns]
    return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _plain(cell: Any) -> Any:
    """Return a Parquet cell as JSON would carry it: times as ISO 8601, bytes as hex."""
    if isinstance(cell, float) and math.isnan(cell):
        return None  # which pandas writes where nothing is
    if isinstance(cell, datetime):
        return (cell if cell.tzinfo else cell.replace(tzinfo=UTC)).isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, float):
        return Decimal(repr(cell))  # the shortest decimal that reads back as this double
    return "0x" + cell.hex() if isinstance(cell, bytes) else cell
