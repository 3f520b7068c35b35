"""Rows of CSV, NDJSON and Parquet files, and the line that is wrong."""

import gzip
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from appliance.errors import BadRequest
from appliance.files import table
from appliance.files.table import Piece, Row, column_name, pieces


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def rows(path: Path) -> list[tuple[int, Row]]:
    return [pair for piece in pieces(path) for pair in zip(piece.numbers, piece.rows, strict=True)]


def read(folder: Path, text: str | bytes, name: str = "a.csv") -> list[tuple[int, Row]]:
    data = text.encode() if isinstance(text, str) else text
    (folder / name).write_bytes(gzip.compress(data) if name.lower().endswith(".gz") else data)
    return rows(folder / name)


def refusal(folder: Path, text: str | bytes, name: str = "a.csv") -> str:
    with pytest.raises(BadRequest) as caught:
        read(folder, text, name)
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        *(("Block Number", "block_number"), ("blockNumber", "block_number")),
        *(
            ("  BLOCK-NUMBER ", "block_number"),
            ("tx_hash", "tx_hash"),
            ("price (USD)", "price_usd"),
        ),
        *(("topic0", "topic0"), ("", ""), ("ts", "ts")),
    ],
)
def test_columns_have_one_spelling(written: str, expected: str) -> None:
    assert expected == column_name(written)


def test_csv_rows_have_their_lines(folder: Path) -> None:
    """Empty lines count; a quoted cell may hold commas, quotes and line ends."""
    text = 'Time,Note\r\n1,a\r\n\r\n2,"b, ""c""\nd"\r\n3,e'
    assert [
        (2, {"time": "1", "note": "a"}),
        (4, {"time": "2", "note": 'b, "c"\nd'}),
        (6, {"time": "3", "note": "e"}),
    ] == read(folder, text)


def test_a_byte_order_mark_is_no_letter(folder: Path) -> None:
    """Spreadsheets write it."""
    assert [(2, {"a": "1"})] == read(folder, "\ufeffa\n1\n")
    assert [(1, {"a": 1})] == read(folder, '\ufeff{"a":1}\n', "a.ndjson")


def test_empty_lines_before_the_header_are_skipped(folder: Path) -> None:
    assert [(4, {"a": "1"})] == read(folder, "\n\na\n1\n")


@pytest.mark.parametrize("text", ["", "\n", "a,b\n", "\ufeff"])
def test_a_file_without_rows_has_none(folder: Path, text: str) -> None:
    assert [] == read(folder, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n1,2\n3\n", "line 3: must have 2 cells, as the header has, has 1"),
        ("a,b\n1,2,3\n", "line 2: must have 2 cells, as the header has, has 3"),
        ('a,b\n1,"2"x\n', "line 2: must be CSV: ',' expected after '\"'"),
        ('a\n1\n2\n"3\n4\n5\n', "line 4: must be CSV: unexpected end of data"),
        ("a\n1\n\n2\r3\n", "line 4: must be CSV: new-line character seen in unquoted field"),
        ("Price,price\n1,2\n", "line 1: every column needs a name of its own, was price, price"),
        (b"a\n" + b"1\n" * 5_000 + b"\xff\n", "line 5002: must be UTF-8: 'utf-8' codec"),
        ("a\n".encode("utf-16"), "line 1: must be UTF-8: 'utf-8' codec"),
    ],
)
def test_a_broken_csv_line_is_named(folder: Path, text: str | bytes, expected: str) -> None:
    """The line on which it begins, however far reading has come."""
    assert refusal(folder, text).startswith(expected)


def test_a_line_without_end_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not read to the end."""
    monkeypatch.setattr(table, "LINE_BYTES_MAX", 100)
    assert [(2, {"a": "1" * 99})] == read(folder, "a\n" + "1" * 99 + "\n")
    expected = "line 2: must be at most 100 bytes, is longer"
    assert expected == refusal(folder, "a\n" + "1" * 101 + "\n")
    assert expected == refusal(folder, "{}\n" + " " * 101 + "\n", "a.ndjson")
    assert "line 2: must be CSV" in refusal(folder, 'a\n"' + "1\n" * 60 + '"\n')


def test_ndjson_rows_have_their_lines_and_exact_numbers(folder: Path) -> None:
    text = '{"Time":1,"price":0.1}\n\n  {"blockNumber":null,"x":[1]}'
    assert [
        (1, {"time": 1, "price": Decimal("0.1")}),
        (3, {"block_number": None, "x": [1]}),
    ] == read(folder, text, "a.jsonl")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a":1}\n{"a":\n', "line 2: must be a JSON object: "),
        ('[{"a":1}]\n', "line 1: must be a JSON object: Expected `object`, got `array`"),
        (b'{"a":1}\n{"a":"\xff"}\n', "line 2: must be UTF-8: "),
        ('{"aB":1,"a_b":2}\n', "line 1: every column needs a name of its own, was aB, a_b"),
    ],
)
def test_a_broken_ndjson_line_is_named(folder: Path, text: str | bytes, expected: str) -> None:
    assert refusal(folder, text, "a.ndjson").startswith(expected)


@pytest.mark.parametrize("name", ["a.csv.gz", "A.CSV.GZ"])
def test_packed_files_are_read_as_they_are(folder: Path, name: str) -> None:
    assert [(2, {"a": "1"})] == read(folder, "a\n1\n", name)
    assert [(1, {"a": 1})] == read(folder, '{"a":1}', "a.ndjson.gz")


def test_broken_packing_is_named(folder: Path) -> None:
    whole = gzip.compress(b"a\n" + bytes(str(list(range(9_999))), "ascii"))
    damaged = whole[:500] + b"\0\0\0\0" + whole[504:]
    for data in (whole[:-20], damaged, b"not packed", whole[:-8] + b"12345678"):
        (folder / "a.csv.gz").write_bytes(data)
        with pytest.raises(BadRequest, match=r"a\.csv\.gz must be a whole gzip file"):
            rows(folder / "a.csv.gz")


@pytest.mark.parametrize("name", ["a.txt", "a", "csv", "a.gz", "a.csv.zip"])
def test_unknown_formats_are_named(folder: Path, name: str) -> None:
    expected = f"must end in one of .csv .ndjson .jsonl .json .parquet .pq (or .gz), was {name!r}"
    assert refusal(folder, "x", name).endswith(expected)


def parquet(path: Path, columns: dict[str, Any]) -> list[tuple[int, Row]]:
    pq.write_table(pa.table(columns), path)
    return rows(path)


def test_parquet_cells_become_what_json_would_carry(folder: Path) -> None:
    moment = datetime(2024, 1, 5, 1, 2, 3, 4, UTC)
    ns = pa.array([1_704_416_523_000_004_005, None], pa.timestamp("ns"))
    assert [
        (
            1,
            {
                "block_number": 7,
                "at": "2024-01-05T01:02:03.000004+00:00",
                "naive": "2024-01-05T01:02:03.000004+00:00",
                "fine": "2024-01-05T01:02:03.000004005+00:00",
                "day": "2024-01-05",
                "price": Decimal("0.1"),
                "exact": Decimal("1.10"),
                "topic0": "0x00ff",
                "topics": ["0x1"],
            },
        ),
        (2, dict.fromkeys("block_number at naive fine day price exact topic0 topics".split())),
    ] == parquet(
        folder / "a.parquet",
        {
            "blockNumber": [7, None],
            "at": pa.array([moment, None], pa.timestamp("us", "UTC")),
            "naive": pa.array([moment.replace(tzinfo=None), None], pa.timestamp("us")),
            "fine": ns,
            "day": [date(2024, 1, 5), None],
            "price": [0.1, float("nan")],  # pandas writes nan where nothing is
            "exact": pa.array([Decimal("1.10"), None]),
            "topic0": [b"\x00\xff", None],
            "topics": [["0x1"], None],
        },
    )


def test_broken_parquet_is_named(folder: Path) -> None:
    path = folder / "a.pq"
    parquet(path, {"a": list(range(1_000))})
    whole = path.read_bytes()
    for data in (b"", b"PAR1", whole[:-9], whole[:20] + bytes(400) + whole[420:]):
        path.write_bytes(data)
        with pytest.raises(BadRequest, match=r"a\.pq must be a whole Parquet file"):
            rows(path)
    with pytest.raises(BadRequest, match="the file: every column needs a name of its own"):
        parquet(path, {"aB": [1], "a_b": [2]})


@pytest.mark.parametrize("name", ["a.csv", "a.ndjson", "a.parquet", "a.csv.gz"])
def test_pieces_are_small_and_tell_how_far_they_are(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "PIECE_ROWS", 1_000)
    numbers, path = range(4_500), folder / name
    if name.endswith("parquet"):
        pq.write_table(pa.table({"a": list(numbers)}), path)
    elif name.endswith("ndjson"):
        path.write_text("\n".join(json.dumps({"a": n}) for n in numbers))
    else:
        text = "\n".join(map(str, ["a", *numbers])).encode()
        path.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    found = list(pieces(path))
    assert [1_000] * 4 + [500] == [len(piece.rows) for piece in found]
    done = [piece.done for piece in found]
    assert sorted(done) == done
    assert (0 < done[0] <= 1, 1.0) == (True, done[-1])
    assert [int(row["a"]) for piece in found for row in piece.rows] == list(numbers)


def test_a_row_is_called_by_its_number() -> None:
    piece = Piece([{}, {}], [7, 9], "line", 1.0)
    assert ("line 7", "line 9") == (piece.where(0), piece.where(1))
