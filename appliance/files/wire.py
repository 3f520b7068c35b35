"""Trades between the command line and a running server: an Arrow stream with its markets.

The schema's metadata holds the specs of the markets as JSON, and the name of the source.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import pyarrow as pa

from appliance.errors import BadRequest
from appliance.model import KINDS, SIDES, TRADE_SCHEMA, MarketSpec

CONTENT_TYPE: Final = "application/vnd.apache.arrow.stream"
_MARKETS: Final = b"markets"
_SOURCE: Final = b"source"
_SOURCE_LONGEST: Final = 64


def encode_submission(
    trades: pa.Table, markets: Sequence[MarketSpec], source: str = "import"
) -> bytes:
    """Return the bytes of a table of TRADE_SCHEMA whose `market_id` indexes `markets`."""
    metadata = {_MARKETS: msgspec.json.encode(list(markets)), _SOURCE: source.encode()}
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, TRADE_SCHEMA.with_metadata(metadata)) as writer:
        writer.write_table(trades.cast(TRADE_SCHEMA).replace_schema_metadata(metadata))
    return bytes(sink.getvalue())


def decode_submission(body: bytes) -> tuple[pa.Table, tuple[MarketSpec, ...]]:
    """Return the trades and the markets.

    Raises:
        BadRequest: these are not the bytes that `encode_submission` makes.
    """
    try:
        table = pa.ipc.open_stream(body).read_all()
        table.validate(full=True)
        metadata = table.schema.metadata or {}
        markets = msgspec.json.decode(metadata[_MARKETS], type=tuple[MarketSpec, ...])
    except (pa.ArrowException, msgspec.MsgspecError, KeyError, ValueError, OSError) as error:
        raise BadRequest(f"body must be an Arrow stream of trades, was not: {error}") from None
    if not table.schema.equals(TRADE_SCHEMA, check_metadata=False):
        raise BadRequest(f"body must have the columns of trades, had: {table.schema.names}")
    table = table.replace_schema_metadata(None)
    _check(table, markets)
    return table, markets


def source_of(body: bytes) -> str:
    """Return the source of a submission that could be decoded."""
    metadata = pa.ipc.open_stream(body).schema.metadata or {}
    source: str = metadata.get(_SOURCE, b"").decode("ascii", "replace")
    if not 0 < len(source) <= _SOURCE_LONGEST or not source.isprintable():
        raise BadRequest(f"source must be 1 to {_SOURCE_LONGEST} characters, was {source[:64]!r}")
    return source


def _check(table: pa.Table, markets: tuple[MarketSpec, ...]) -> None:
    for column in TRADE_SCHEMA:
        if not column.nullable and table[column.name].null_count:
            raise BadRequest(f"{column.name} must be given for every trade, was null")
    for name, allowed in (("kind", KINDS), ("side", SIDES)):
        strange = set(table[name].unique().to_pylist()) - set(allowed)
        if strange:
            raise BadRequest(f"{name} must be one of {allowed}, was {min(strange)[:64]!r}")
    highest = pa.compute.max(table["market_id"]).as_py()
    if highest is not None and highest >= len(markets):
        raise BadRequest(f"market_id must be below {len(markets)}, was {highest}")
