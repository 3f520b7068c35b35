"""Read raw contract logs from the rows of a file, for the decoder."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from appliance.chain.log import Log
from appliance.errors import BadRequest
from appliance.files.table import Piece, Row
from appliance.files.times import microsecond

_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "block_number": ("block_number", "block"),
    "time": ("block_timestamp", "timestamp", "block_time", "time"),
    "transaction_hash": ("transaction_hash", "tx_hash", "hash"),
    "log_index": ("log_index", "index"),
    "address": ("address", "contract_address", "contract"),
    "data": ("data",),
}


def find_columns(columns: Iterable[str], address: str) -> dict[str, str]:
    """Return which column holds which part of a log; `address` is the one for all, if given.

    Raises:
        BadRequest: a part has no column; the message lists those there are.
    """
    present = list(columns)
    found = {
        part: next(name for name in names if name in present)
        for part, names in _NAMES.items()
        if any(name in present for name in names)
    }
    if address:
        found.pop("address", None)
    for part in _NAMES:
        if part not in found and not (part == "address" and address):
            raise BadRequest(
                f"raw logs need a column {' or '.join(_NAMES[part])}; the file has "
                f"{', '.join(present) or 'no columns'}"
            )
    if not {"topics", "topic0"} & set(present):
        raise BadRequest("raw logs need a column topics (a JSON list), or topic0 to topic3")
    return found


def logs(piece: Piece, found: Mapping[str, str], address: str) -> Iterator[Log]:
    """Yield the rows as logs.

    Raises:
        BadRequest: a cell cannot be what it should; the message names line, column and value.
    """
    for index, row in enumerate(piece.rows):
        cells = {part: row[column] for part, column in found.items()}
        try:
            yield Log(
                block_number=_integer(cells, "block_number"),
                time_us=_time(cells["time"]),
                transaction_hash=_text(cells, "transaction_hash"),
                log_index=_integer(cells, "log_index"),
                address=address or _text(cells, "address").lower(),
                topics=_topics(row),
                data=_text(cells, "data"),
            )
        except ValueError as error:
            raise BadRequest(f"{piece.where(index)}: {error}") from None


def _integer(cells: Mapping[str, Any], part: str) -> int:
    cell = cells[part]
    try:
        number = int(cell, 0) if isinstance(cell, str) else int(cell)
    except (TypeError, ValueError):
        number = -1
    if number < 0:
        raise ValueError(f"{part} must be a whole number, was {str(cell)[:64]!r}")
    return number


def _time(cell: Any) -> int:
    try:
        if isinstance(cell, str) and cell.startswith("0x"):
            return int(cell, 16) * 1_000_000
        return microsecond(cell.removesuffix(" UTC") if isinstance(cell, str) else cell)
    except (TypeError, ValueError):
        raise ValueError(f"time must be unix time or ISO 8601, was {str(cell)[:64]!r}") from None


def _text(cells: Mapping[str, Any], part: str) -> str:
    if not isinstance(cells[part], str):
        raise ValueError(f"{part} must be text, was {str(cells[part])[:64]!r}")
    return str(cells[part])


def _topics(row: Row) -> Sequence[str]:
    if "topics" not in row:
        return [row[name] for i in range(4) if row.get(name := f"topic{i}")]
    try:
        return msgspec.convert(_parsed(row["topics"]), list[str])
    except msgspec.MsgspecError:
        shown = str(row["topics"])[:64]
        raise ValueError(f"topics must be a JSON list of hex texts, was {shown!r}") from None


def _parsed(cell: Any) -> Any:
    return msgspec.json.decode(cell) if isinstance(cell, str) else cell
