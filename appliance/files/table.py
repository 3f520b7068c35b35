"""Read CSV, NDJSON and Parquet files as rows of named cells, in pieces.

Out: `Piece`s of at most PIECE_ROWS rows. Column names are lower case with `_` between words, so
that `Block Number` and `blockNumber` are both `block_number`. `.gz` is read as it is.
"""

import csv
import gzip
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Literal, cast

import msgspec
import pyarrow.parquet as pq

from appliance.errors import BadRequest

if TYPE_CHECKING:
    import _csv as _csv_types

Row = dict[str, Any]
Format = Literal["csv", "ndjson", "parquet"]
PIECE_ROWS: Final = 20_000
CELL_BYTES_MAX: Final = 4 << 20
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
        file: IO[bytes] = raw
        if path.suffix == ".gz":
            file = cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
        numbered = _csv(file) if form == "csv" else _ndjson(file)
        try:
            while part := list(islice(numbered, PIECE_ROWS)):
                numbers, rows = zip(*part, strict=True)
                read = 1.0 if raw.closed else raw.tell() / size  # the CSV reader closes at the end
                yield Piece(list(rows), list(numbers), "line", read)
        except (gzip.BadGzipFile, EOFError) as error:
            raise BadRequest(f"{path} must be a whole gzip file: {error}", "file") from None


def _format(path: Path) -> Format:
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if suffix.lower() not in _FORMATS:
        known = " ".join(_FORMATS)
        raise BadRequest(f"the file's name must end in one of {known} (or .gz), was {path.name!r}")
    return _FORMATS[suffix.lower()]


def _csv(file: IO[bytes]) -> Iterator[tuple[int, Row]]:
    csv.field_size_limit(CELL_BYTES_MAX)
    with io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text, strict=True)
        try:
            yield from _csv_rows(reader)
        except csv.Error as error:
            raise BadRequest(f"line {reader.line_num}: must be CSV: {error}") from None
        except UnicodeDecodeError as error:
            raise BadRequest(f"after line {reader.line_num}: must be UTF-8: {error}") from None


def _csv_rows(reader: "_csv_types.Reader") -> Iterator[tuple[int, Row]]:
    header = [column_name(cell) for cell in next(reader, [])]
    if len(set(header)) < len(header):
        raise BadRequest(f"line 1: every column needs a name of its own, was {header}")
    for cells in reader:
        if len(cells) == len(header):
            yield reader.line_num, dict(zip(header, cells, strict=True))
        elif cells:  # an empty line, mostly the last one, is no row
            raise BadRequest(
                f"line {reader.line_num}: must have {len(header)} cells, as the header has, "
                f"has {len(cells)}"
            )


def _ndjson(file: IO[bytes]) -> Iterator[tuple[int, Row]]:
    decoder = msgspec.json.Decoder(Row, float_hook=Decimal)  # 0.1 stays 0.1
    for number, line in enumerate(_lines(file), 1):
        if line.strip():
            try:
                row = decoder.decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise BadRequest(f"line {number}: must be a JSON object: {error}") from None
            yield number, {column_name(name): value for name, value in row.items()}


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(CELL_BYTES_MAX):
        yield line


def _parquet(path: Path) -> Iterator[Piece]:
    try:
        file = pq.ParquetFile(path)
    except (OSError, ValueError) as error:
        raise BadRequest(f"{path} must be a Parquet file: {error}") from None
    with file:
        total, first = max(1, file.metadata.num_rows), 1
        for batch in file.iter_batches(PIECE_ROWS):
            names = [column_name(name) for name in batch.schema.names]
            columns = [map(_plain, column.to_pylist()) for column in batch.columns]
            rows = [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]
            numbers = range(first, first + len(rows))
            first += len(rows)
            yield Piece(rows, list(numbers), "row", (first - 1) / total)


def _plain(cell: Any) -> Any:
    """Return a Parquet cell as JSON would carry it: times as ISO 8601, bytes as hex."""
    if isinstance(cell, datetime):
        return (cell if cell.tzinfo else cell.replace(tzinfo=UTC)).isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, float):
        return Decimal(repr(cell))  # the shortest decimal that reads back as this double
    return "0x" + cell.hex() if isinstance(cell, bytes) else cell
