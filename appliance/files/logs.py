"""Read raw contract logs from the rows of a file, for the decoder."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from appliance.chain.log import Log
from appliance.errors import BadRequest
from appliance.files.checks import BLOCK_LIMIT, EARLIEST_US, LATEST_US, LOG_LIMIT
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
        cells = {part: row.get(column) for part, column in found.items()}
        try:
            yield Log(
                block_number=_integer(cells, "block_number", BLOCK_LIMIT),
                time_us=_time(cells["time"]),
                transaction_hash=_text(cells, "transaction_hash"),
                log_index=_integer(cells, "log_index", LOG_LIMIT),
                address=address or _text(cells, "address").lower(),
                topics=_topics(row),
                data=_text(cells, "data"),
            )
        except ValueError as error:
            raise BadRequest(f"{piece.where(index)}: {error}") from None


def _integer(cells: Mapping[str, Any], part: str, limit: int) -> int:
    cell = cells[part]
    try:
        number = int(cell, 0) if isinstance(cell, str) else int(cell)
        whole = 0 <= number < limit and (isinstance(cell, str) or number == cell)
    except (TypeError, ValueError, ArithmeticError):
        whole = False
    if not whole:
        raise ValueError(f"{part} must be a whole number from 0 to {limit - 1}, was {_shown(cell)}")
    return number


def _time(cell: Any) -> int:
    try:
        if isinstance(cell, str) and cell.startswith("0x"):
            time_us = int(cell, 16) * 1_000_000
        else:
            time_us = microsecond(cell.removesuffix(" UTC") if isinstance(cell, str) else cell)
        if EARLIEST_US <= time_us <= LATEST_US:
            return time_us
    except (TypeError, ValueError):
        pass  # told below, with the times that are out of range
    raise ValueError(
        f"time must be unix time or ISO 8601, from 2000 to 2100, was {_shown(cell)}"
    ) from None


def _text(cells: Mapping[str, Any], part: str) -> str:
    if not isinstance(cells[part], str):
        raise ValueError(f"{part} must be text, was {_shown(cells[part])}")
    return str(cells[part])


def _topics(row: Row) -> Sequence[str]:
    given = row.get("topics")
    if "topics" not in row:
        given = [row[name] for i in range(4) if row.get(name := f"topic{i}")]
    try:
        return msgspec.convert(_parsed(given), list[str])
    except msgspec.MsgspecError:
        raise ValueError(f"topics must be a JSON list of hex texts, was {_shown(given)}") from None


def _parsed(cell: Any) -> Any:
    return msgspec.json.decode(cell) if isinstance(cell, str) else cell


def _shown(cell: Any) -> str:
    return repr("" if cell is None else str(cell)[:64])
