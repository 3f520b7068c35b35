"""Guess which column of a file holds what, and make trades of its rows."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from appliance.errors import BadRequest
from appliance.files.record import Trade
from appliance.files.table import Piece, Row, column_name

ALIASES: Final[dict[str, tuple[str, ...]]] = {
    "symbol": ("symbol", "market", "pair", "instrument", "ticker", "market_symbol"),
    "time": (
        "time",
        "timestamp",
        "block_timestamp",
        "block_time",
        "datetime",
        "date",
        "ts",
        "transact_time",
    ),
    "price": ("price", "execution_price", "trade_price", "px", "rate"),
    "size": ("size", "amount", "quantity", "qty", "base_volume", "base_amount", "volume"),
    "side": ("side", "taker_side", "direction"),
    "id": ("id", "trade_id", "tid", "agg_trade_id", "uuid"),
    "block_number": ("block_number", "block", "blocknumber"),
    "log_index": ("log_index", "logindex"),
    "transaction_hash": ("transaction_hash", "tx_hash", "txhash", "hash"),
    "kind": ("kind", "event"),
    "fee": ("fee", "fees"),
    "trader": ("trader", "user", "account", "taker", "wallet"),
    "is_buyer_maker": ("is_buyer_maker",),
}
"""What a trade has, and the column names that usually mean it, best first."""
_SIDES: Final = {"b": "buy", "bid": "buy", "s": "sell", "ask": "sell", "a": "sell"}
_COORDINATES: Final = {"block_number", "log_index"}
_NOTHING: Final = frozenset({"", "null"})
"""Cells of a CSV file that hold no value, as databases write them."""
_RULES: Final = {
    **dict.fromkeys(("price", "size", "fee"), "a number like 1234.5"),
    **dict.fromkeys(("block_number", "log_index"), "a whole number"),
    "time": "unix time or ISO 8601",
    "id": "text or a whole number",
}
_TRUE: Final = frozenset({"true", "1", "t", "yes"})


def parse_mapping(words: Iterable[str]) -> dict[str, str]:
    """Return the user's `field=column` pairs.

    Raises:
        BadRequest: a word is no pair, or names no field of a trade.
    """
    mapping = {}
    for word in words:
        name, equals, column = word.partition("=")
        if not equals or name not in ALIASES or not column:
            raise BadRequest(
                f"--map must be FIELD=COLUMN with one of {', '.join(ALIASES)}, was {word!r}", "map"
            )
        mapping[name] = column_name(column)
    return mapping


def guess(columns: Iterable[str], mapping: Mapping[str, str], symbol: str) -> dict[str, str]:
    """Return which column holds which field; `mapping` overrules, `symbol` is the one for all.

    Raises:
        BadRequest: a needed field has no column; the message lists those there are.
    """
    present = list(columns)
    found = {
        field: next(alias for alias in aliases if alias in present)
        for field, aliases in ALIASES.items()
        if any(alias in present for alias in aliases)
    }
    if not found.keys() | mapping.keys() >= _COORDINATES:  # half a place on a chain is none
        found = {field: column for field, column in found.items() if field not in _COORDINATES}
    if missing := [column for column in mapping.values() if column not in present]:
        raise BadRequest(
            f"--map must name a column of the file ({_list(present)}), was {missing[0]!r}"
        )
    found |= mapping
    if symbol:
        found.pop("symbol", None)
    needed = ["time", "price", "size"] + ([] if symbol else ["symbol"])
    for field in needed:
        if field not in found:
            cure = "--market SYMBOL or --map symbol=" if field == "symbol" else f"--map {field}="
            raise BadRequest(
                f"no column looks like the {field}: name it by {cure}COLUMN "
                f"(the file has {_list(present)})",
                "map",
            )
    return found


def _list(columns: Iterable[str]) -> str:
    return ", ".join(columns) or "no columns"


def trades(piece: Piece, found: Mapping[str, str], symbol: str, file_id: str) -> list[Trade]:
    """Return the rows as trades; one without id and coordinates gets the id `<file_id>:<row>`.

    Raises:
        BadRequest: a cell cannot be what it should; the message names line, field and value.
    """
    records = [_record(row, found, symbol) for row in piece.rows]
    for record, number in zip(records, piece.numbers, strict=True):
        if "id" not in record and "block_number" not in record:
            record["id"] = f"{file_id}:{number}"
    try:
        return msgspec.convert(records, list[Trade], strict=False)
    except msgspec.ValidationError as error:
        raise _located(records, piece) or BadRequest(str(error)) from None


def _record(row: Row, found: Mapping[str, str], symbol: str) -> dict[str, Any]:
    cells = {field: _cell(row.get(column)) for field, column in found.items()}
    record = {field: cell for field, cell in cells.items() if cell is not None}
    if symbol:
        record["symbol"] = symbol
    if isinstance(side := record.get("side"), str):
        record["side"] = _SIDES.get(side.lower(), side.lower())
    maker = record.pop("is_buyer_maker", None)
    if maker is not None and "side" not in record:
        record["side"] = "sell" if str(maker).lower() in _TRUE else "buy"
    return record


def _cell(cell: Any) -> Any:
    """Return what a cell holds, None if that is nothing."""
    if not isinstance(cell, str):
        return cell
    text = cell.strip()
    return None if text.lower() in _NOTHING else text


def _located(records: list[dict[str, Any]], piece: Piece) -> BadRequest | None:
    """Return the error of the first bad row, with its line, the field and its value."""
    for index, record in enumerate(records):
        for name in ("symbol", "time", "price"):
            if name not in record:
                return BadRequest(f"{piece.where(index)}: {name} must be given, was empty", name)
        try:
            msgspec.convert(record, Trade, strict=False)
        except msgspec.ValidationError as error:
            field = str(error).partition(" - at `$.")[2].rstrip("`")
            was = str(record.get(field))[:64]
            rule = _RULES.get(field, "text")
            return BadRequest(f"{piece.where(index)}: {field} must be {rule}, was {was!r}", field)
    return None
