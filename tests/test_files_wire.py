import itertools
from contextlib import suppress
from decimal import Decimal

import pyarrow as pa
import pytest

from appliance.errors import BadRequest
from appliance.files.trades import Intake, Trade, convert
from appliance.files.wire import decode_submission, encode_submission, source_of
from appliance.model import TRADE_SCHEMA, MarketSpec

ROW = Trade("GOLD", 1_700_000_000, Decimal("10.5"), size=Decimal("0.1"), id="a")


def submission() -> tuple[pa.Table, tuple[MarketSpec, ...]]:
    return convert([ROW, ROW], Intake({}, 2 * 10**15, itertools.count()))


def test_a_submission_arrives_as_it_was_sent() -> None:
    table, specs = submission()
    body = encode_submission(table, specs, "import")
    assert (table, specs) == decode_submission(body)
    assert source_of(body) == "import"


def encoded(table: pa.Table, specs: list[MarketSpec]) -> bytes:
    body: bytes = encode_submission(table, specs)
    return body


def unchecked(table: pa.Table) -> bytes:
    """Return the bytes that a client with other ideas could send."""
    table = table.replace_schema_metadata({b"markets": b"[]", b"source": b"x"})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


@pytest.mark.parametrize("body", [b"", b"x" * 100, unchecked(pa.table({"a": [1]}))])
def test_other_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(BadRequest, match="body must"):
        decode_submission(body)


@pytest.mark.parametrize("cut", [1, 10, 100, 500, 1_000])
def test_a_body_cut_short_is_refused_or_whole(cut: int) -> None:
    """The stream's end mark may be missing; rows may not."""
    table, specs = submission()
    body = encode_submission(table, specs)
    rows = table.num_rows
    with suppress(BadRequest):
        rows = decode_submission(body[:-cut])[0].num_rows
    assert table.num_rows == rows


def test_a_market_that_was_not_sent_is_refused() -> None:
    table, _ = submission()
    with pytest.raises(BadRequest, match="market_id must be below 0, was 0"):
        decode_submission(encoded(table, []))


@pytest.mark.parametrize(("name", "value"), [("kind", "swap"), ("side", "long")])
def test_other_words_are_refused(name: str, value: str) -> None:
    table, specs = submission()
    place = TRADE_SCHEMA.get_field_index(name)
    table = table.set_column(place, TRADE_SCHEMA.field(name), pa.array([value] * 2))
    with pytest.raises(BadRequest, match=f"{name} must be one of"):
        decode_submission(encoded(table, list(specs)))


def test_values_that_must_be_there_are_asked_for() -> None:
    """A schema may promise what its columns do not keep."""
    table, _ = submission()
    place = TRADE_SCHEMA.get_field_index("kind")
    table = table.set_column(place, TRADE_SCHEMA.field("kind"), pa.array([None, "trade"]))
    with pytest.raises(BadRequest, match="kind must be given for every trade, was null"):
        decode_submission(unchecked(table))


def test_a_source_is_printable() -> None:
    table, specs = submission()
    with pytest.raises(BadRequest, match="source must be 1 to 64 characters"):
        source_of(encode_submission(table, specs, ""))
