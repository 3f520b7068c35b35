"""Import a file: read and check all of it, then store it.

The whole file is decoded into a spool file before the first trade is stored, so that a broken
line stores nothing. Every trade has chain coordinates or an id (the file's digest and the line
number, where it brings none), so that importing again, or after an interruption, adds nothing
twice.
"""

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import file_digest
from itertools import count
from pathlib import Path
from typing import BinaryIO, Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from appliance.errors import BadRequest
from appliance.files import columns
from appliance.files.checks import LATEST_US
from appliance.files.table import Piece, pieces
from appliance.files.trades import Intake, convert
from appliance.files.wire import decode_submission, encode_submission
from appliance.model import MarketSpec, Receipt

_PLACE: Final = re.compile(r"^((?:line|row) [0-9]+)\.")
"""`line 7.price must be` is how programs are told; a person reads `line 7: price must be`."""
Submission = tuple[pa.Table, tuple[MarketSpec, ...]]


class Rows(Protocol):
    """Turns the rows of a file into trades."""

    def submission(self, piece: Piece) -> Submission:
        """Return the trades of a piece; BadRequest names the line that is wrong."""
        ...

    def remarks(self) -> list[str]:
        """Return what a person should know of the rows that are no trades."""
        ...


@dataclass(slots=True)
class Summary:
    """What an import did. `first_us` and `last_us` are microseconds since the epoch."""

    rows: int = 0
    accepted: int = 0
    duplicates: int = 0
    symbols: set[str] = field(default_factory=set)
    first_us: int | None = None
    last_us: int | None = None
    remarks: list[str] = field(default_factory=list)

    def see(self, table: pa.Table, specs: Sequence[MarketSpec]) -> None:
        """Count the rows of a submission and widen the range of times."""
        self.symbols |= {specs[i].symbol for i in pc.unique(table["market_id"]).to_pylist()}
        if table.num_rows:
            times = pc.min_max(table["time"].cast(pa.int64())).as_py()
            self.first_us = min(times["min"], self.first_us or times["min"])
            self.last_us = max(times["max"], self.last_us or times["max"])

    def sentence(self) -> str:
        """Return the summary for a person."""
        text = f"{self.accepted:,} trades stored, {self.duplicates:,} were stored already"
        if self.first_us is not None and self.last_us is not None:
            text += f"; {', '.join(sorted(self.symbols))}"
            text += f" from {_moment(self.first_us)} to {_moment(self.last_us)}"
        return "\n".join([text, *self.remarks])


def _moment(time_us: int) -> str:
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


class TradeRows:
    """Rows that are trades."""

    def __init__(
        self, path: Path, mapping: dict[str, str], symbol: str, exchange: str = ""
    ) -> None:
        """Guess columns with the first piece; `mapping` and `symbol` come from the user."""
        self._exchange = exchange
        self._mapping = mapping
        self._symbol = symbol
        self._names: dict[str, None] = {}
        self._found: dict[str, str] = {}
        self._arrival = count()
        with path.open("rb") as file:
            self._file_id = file_digest(file, "sha256").hexdigest()

    def submission(self, piece: Piece) -> Submission:
        """Return the trades of a piece; BadRequest names the line that is wrong."""
        new = dict.fromkeys(name for row in piece.rows for name in row).keys() - self._names.keys()
        if new or not self._found:
            self._names |= dict.fromkeys(name for row in piece.rows for name in row)
            # what a column was taken for holds to the end of the file
            self._found = columns.guess(self._names, self._mapping, self._symbol) | self._found
        trades = columns.trades(piece, self._found, self._symbol, self._file_id)
        try:
            table, specs = convert(trades, Intake({}, LATEST_US, self._arrival, piece.where))
        except BadRequest as error:
            raise BadRequest(_PLACE.sub(r"\1: ", str(error)), error.field) from None
        if self._exchange:
            specs = tuple(replace(spec, exchange=self._exchange) for spec in specs)
        return table, specs

    def remarks(self) -> list[str]:
        """Return nothing: every row is a trade."""
        return []


class Spool:
    """Decoded submissions, on disk, in order."""

    def __init__(self, folder: Path) -> None:
        """Open an unnamed file that vanishes with the process, however it ends."""
        folder.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by close()
        self._sizes: list[int] = []

    def add(self, table: pa.Table, specs: tuple[MarketSpec, ...]) -> None:
        """Append a submission."""
        self._sizes.append(self._file.write(encode_submission(table, specs)))

    def __iter__(self) -> Iterator[bytes]:
        """Yield the submissions as encoded."""
        self._file.seek(0)
        for size in self._sizes:
            yield self._file.read(size)

    def __len__(self) -> int:
        """Return the number of submissions."""
        return len(self._sizes)

    def close(self) -> None:
        """Give the disk space back."""
        self._file.close()


def import_file(
    path: Path,
    rows: Rows,
    submit: Callable[[bytes], Receipt],
    spool_folder: Path,
    progress: Callable[[str, float], None],
) -> Summary:
    """Read, check and store the file at `path`; `progress` hears (what, 0 to 1).

    Raises:
        BadRequest: a line is wrong, the file cannot be read, or it holds no trade; nothing was
            stored.
    """
    summary, spool = Summary(), Spool(spool_folder)
    try:
        for piece in pieces(path):
            table, specs = rows.submission(piece)
            summary.rows += len(piece.rows)
            if table.num_rows:
                summary.see(table, specs)
                spool.add(table, specs)
            progress("reading", piece.done)
        summary.remarks = rows.remarks()
        if not len(spool):
            raise BadRequest("\n".join([f"{path} holds no trade", *summary.remarks]))
        for number, submission in enumerate(spool, 1):
            receipt = submit(submission)
            summary.accepted += receipt.accepted
            summary.duplicates += receipt.duplicates
            progress("storing", number / len(spool))
    finally:
        spool.close()
    return summary


def decoded(submission: bytes) -> Submission:
    """Return an encoded submission as ingest takes it."""
    table, specs = decode_submission(submission)
    return table, tuple(specs)
