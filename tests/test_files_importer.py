"""Importing a file: all of it is checked before any of it is stored."""

import asyncio
import gzip
import json
import random
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from appliance.errors import BadRequest, Conflict, Retryable
from appliance.files import importer, table
from appliance.files.importer import Summary, TradeRows, decoded, import_file
from appliance.interval import parse
from appliance.model import MarketSpec, Receipt
from tests.conftest import Opened

HEADER = "symbol,time,price,size,side\n"
ROWS = [f"GOLD,{1_700_000_000 + i},{2_000 + i}.5,1.{i},buy" for i in range(10)]


@dataclass
class Sink:
    """Takes submissions, and fails after some if it is told to."""

    fails_after: int = 99
    taken: list[tuple[pa.Table, tuple[MarketSpec, ...]]] = field(default_factory=list)

    def submit(self, submission: bytes) -> Receipt:
        if len(self.taken) >= self.fails_after:
            raise Retryable("gone")
        self.taken.append(decoded(submission))
        return Receipt(self.taken[-1][0].num_rows, 0)

    def column(self, name: str) -> list[Any]:
        return [value for table, _ in self.taken for value in table[name].to_pylist()]


def write(folder: Path, *lines: str, name: str = "a.csv") -> Path:
    text = "\n".join(lines).encode()
    (folder / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return folder / name


def run(
    path: Path,
    sink: Sink,
    mapping: dict[str, str] | None = None,
    symbol: str = "",
    exchange: str = "",
    progress: Callable[[str, float], None] = lambda what, done: None,
) -> Summary:
    rows = TradeRows(path, mapping or {}, symbol, exchange)
    return import_file(path, rows, sink.submit, path.parent / "spool", progress)


def refusal(folder: Path, *lines: str, name: str = "a.csv") -> str:
    """Return why a file is refused, having seen that nothing of it was stored."""
    sink = Sink()
    with pytest.raises(BadRequest) as caught:
        run(write(folder, *lines, name=name), sink)
    assert [] == sink.taken
    assert [] == list((folder / "spool").iterdir())
    return str(caught.value)


# -- formats --


def test_csv_ndjson_and_parquet_are_the_same_trades(tmp_path: Path) -> None:
    """Exact to the last digit; only ids differ, which name the file."""
    objects = [dict(zip(HEADER.strip().split(","), row.split(","), strict=True)) for row in ROWS]
    typed = [o | {"time": int(o["time"]), "price": float(o["price"])} for o in objects]
    numbers = [json.dumps(o).replace(f'"{o["size"]}"', str(o["size"])) for o in typed]
    paths = [
        write(tmp_path, HEADER.strip(), *ROWS),
        write(tmp_path, HEADER.strip(), *ROWS, name="b.csv.gz"),
        write(tmp_path, *numbers, name="c.ndjson"),
        write(tmp_path, *map(json.dumps, objects), name="d.jsonl.gz"),
        tmp_path / "e.parquet",
    ]
    pq.write_table(pa.Table.from_pylist(typed), paths[-1])
    found = []
    for path in paths:
        sink = Sink()
        assert run(path, sink).accepted == 10
        ((trades, specs),) = sink.taken
        own = ("trade_id", "tie")
        found.append((trades.drop_columns(own).to_pylist(), specs))
    assert found[1:] == found[:-1]
    assert Decimal("1.3") == found[0][0][3]["base_volume"]
    assert Decimal("2003.5") * Decimal("1.3") == found[0][0][3]["quote_volume"]
    base = MarketSpec("GOLD", base="GOLD", quote="USD", price_decimals=2)
    assert (base,) == found[0][1]


@pytest.mark.parametrize(
    ("written", "micros"),
    [
        ("1700000000", 0),
        ("1700000000.25", 250_000),
        ("1700000000250", 250_000),
        ("1700000000250001", 250_001),
        ("2023-11-14T22:13:20.25Z", 250_000),
        ("2023-11-14 22:13:20", 0),
        ("2023-11-14T23:13:20+01:00", 0),
    ],
)
@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_times_have_any_unit(tmp_path: Path, form: str, written: str, micros: int) -> None:
    cell = written if written.replace(".", "").isdigit() else json.dumps(written)
    line = f'{{"symbol":"A","time":{cell},"price":1,"size":1}}'
    lines = ["symbol,time,price,size", f"A,{written},1,1"] if form == "csv" else [line]
    sink = Sink()
    run(write(tmp_path, *lines, name=f"a.{form}"), sink)
    assert [1_700_000_000_000_000 + micros] == sink.column("sequence")


def test_columns_are_mapped(tmp_path: Path) -> None:
    sink = Sink()
    path = write(tmp_path, "when,what,much,px", "1700000000,ignored,2,3")
    mapping = {"time": "when", "size": "much"}
    run(path, sink, mapping, symbol="WETH/USDC", exchange="DEX")
    ((_, (spec,)),) = sink.taken
    assert ("WETH/USDC", "DEX", "WETH", "USDC") == (
        *(spec.symbol, spec.exchange, spec.base, spec.quote),
    )
    assert ([3.0], [Decimal(2)]) == (sink.column("price"), sink.column("base_volume"))


def test_columns_that_come_late_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An optional one may first be there after thousands of lines; the others keep their sense."""
    monkeypatch.setattr(table, "PIECE_ROWS", 2)
    line = '{{"symbol":"A","time":{},"price":1,"amount":{}{}}}'
    lines = [line.format(1_700_000_000 + i, i, "") for i in range(4)]
    late = line.format(1_700_000_009, 9, ',"id":"x9","side":"sell","size":77')
    sink = Sink()
    run(write(tmp_path, *lines, late, name="a.ndjson"), sink)
    assert ["", "", "", "", "sell"] == sink.column("side")
    assert sink.column("trade_id")[-1] == "x9"
    assert [0, 1, 2, 3, 9] == sink.column("base_volume")


# -- ids --


def test_rows_are_known_by_file_and_line(tmp_path: Path) -> None:
    path, sink = write(tmp_path, HEADER.strip(), ROWS[0], "", ROWS[0]), Sink()
    run(path, sink)
    digest = sha256(path.read_bytes()).hexdigest()
    assert [f"{digest}:2", f"{digest}:4"] == sink.column("trade_id")
    again = Sink()
    run(path, again)
    assert sink.column("tie") == again.column("tie")


def test_rows_of_a_chain_are_known_by_their_place(tmp_path: Path) -> None:
    lines = ["symbol,time,price,size,block_number,log_index", "A,1700000000,1,1,7,3"]
    sink = Sink()
    run(write(tmp_path, *lines), sink)
    assert ([(7 << 20) | 3], [""]) == (sink.column("sequence"), sink.column("trade_id"))
    assert sink.taken[0][1][0].order == "chain"


# -- broken files store nothing --


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("GOLD,1700000000,1,1", "line 12: must have 5 cells, as the header has, has 4"),
        ("GOLD,1700000000,ten,1,buy", "line 12: price must be a number like 1234.5, was 'ten'"),
        ("GOLD,1700000000,1,-1,buy", "line 12: size must be 0 or more and below 1e20, was -1"),
        ("GOLD,1700000000,0,1,buy", "line 12: price must be above 0 and below 1e20, was 0"),
        ("GOLD,1700000000,nan,1,buy", "line 12: price must be above 0 and below 1e20, was NaN"),
        ("GOLD,1700000000,1,1,up", "line 12: side must be one of buy, sell, was 'up'"),
        ("GOLD,noon,1,1,buy", "line 12: time must be unix seconds, milliseconds or"),
        ("GOLD,5,1,1,buy", "line 12: time must be from 2000-01-01"),
        ("GO LD,1700000000,1,1,buy", "line 12: symbol must be up to 32 letters"),
        ("GOLD,1700000000,1,,buy", "line 12: size must be given once"),
        ('GOLD,1700000000,"1"1,1,buy', "line 12: must be CSV: "),
        ("GOLD,1700000000,1,1,b\udcffy", "line 12: must be UTF-8: "),
    ],
)
def test_a_broken_row_is_named_and_nothing_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, expected: str
) -> None:
    """Also when thousands of good ones came before it."""
    monkeypatch.setattr(table, "PIECE_ROWS", 3)
    raw = "\n".join([HEADER.strip(), *ROWS, line]).encode(errors="surrogateescape")
    (tmp_path / "a.csv").write_bytes(raw)
    sink = Sink()
    with pytest.raises(BadRequest) as caught:
        run(tmp_path / "a.csv", sink)
    assert str(caught.value).startswith(expected)
    assert [] == sink.taken


def test_a_broken_row_of_parquet_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    good = {"symbol": "A", "time": 1_700_000_000, "price": 1.0, "size": 1.0}
    pq.write_table(pa.Table.from_pylist([good, good | {"price": float("nan")}]), path)
    with pytest.raises(BadRequest, match=r"^row 2: price must be given, was empty$"):
        run(path, Sink())


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path, "symbol,time,price", "A,1,1").startswith(
        "no column looks like the size: name it by --map size=COLUMN (the file has symbol, time"
    )


@pytest.mark.parametrize("lines", [[], [HEADER.strip()], ["", ""]])
def test_a_file_without_trades_is_refused(tmp_path: Path, lines: list[str]) -> None:
    assert refusal(tmp_path, *lines).endswith("a.csv holds no trade")


# -- storing --


def test_the_summary_is_for_a_person(tmp_path: Path) -> None:
    lines = ["A,1700000000,1,1,", "b/c,1600000000.9,1,1,", "A,1700000061,1,1,"]
    sink = Sink()
    summary = run(write(tmp_path, HEADER.strip(), *lines), sink)
    assert summary.sentence() == (
        "3 trades stored, 0 were stored already; "
        "A, B/C from 2020-09-13 12:26:40 UTC to 2023-11-14 22:14:21 UTC"
    )
    assert (3, 3, 0) == (summary.rows, summary.accepted, summary.duplicates)
    summary.remarks = ["one", "two"]
    summary.accepted, summary.duplicates = 1_234, 5_678
    assert summary.sentence().startswith("1,234 trades stored, 5,678 were stored already; A, B/C")
    assert summary.sentence().endswith("\none\ntwo")


def test_progress_goes_from_nothing_to_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "PIECE_ROWS", 5)
    heard: list[tuple[str, float]] = []
    run(
        write(tmp_path, HEADER.strip(), *ROWS),
        Sink(),
        progress=lambda what, done: heard.append((what, done)),
    )
    assert ["reading", "reading", "storing", "storing"] == [what for what, _ in heard]
    assert [1.0, 0.5, 1.0] == [done for _, done in heard[1:]]


def test_a_failing_store_ends_the_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "PIECE_ROWS", 5)
    sink = Sink(fails_after=1)
    with pytest.raises(Retryable, match="gone"):
        run(write(tmp_path, HEADER.strip(), *ROWS), sink)
    assert len(sink.taken) == 1
    assert [] == list((tmp_path / "spool").iterdir())


def test_memory_does_not_grow_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read waits on disk."""
    monkeypatch.setattr(table, "PIECE_ROWS", 500)
    path = tmp_path / "a.csv"
    taken = 0

    def submit(submission: bytes) -> Receipt:
        nonlocal taken
        taken += decoded(submission)[0].num_rows
        return Receipt(0, 0)

    def peak(rows: int) -> int:
        path.write_text(HEADER + (ROWS[0] + "\n") * rows)
        tracemalloc.start()
        try:
            import_file(path, TradeRows(path, {}, ""), submit, tmp_path / "s", lambda *_: None)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(500)  # what is imported and cached once
    small, large = peak(1_000), peak(8_000)
    assert taken == 9_500
    assert large < small * 1.3
    assert large < len(path.read_bytes()) * 10


def test_the_second_import_adds_nothing(tmp_path: Path, opened: Opened) -> None:
    """And an interrupted one is continued, whatever the size of its pieces."""
    path = write(tmp_path, HEADER.strip(), *random.Random(1).sample(ROWS, 10))
    stored = 0

    def submit(submission: bytes) -> Receipt:
        nonlocal stored
        stored += 1
        if stored == 2:
            raise Retryable("killed")
        return opened.store.writer.submit(*decoded(submission)).result(30)

    def imported(piece_rows: int) -> tuple[int, int]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(table, "PIECE_ROWS", piece_rows)
            summary = import_file(
                path, TradeRows(path, {}, ""), submit, tmp_path / "s", lambda *_: None
            )
        return summary.accepted, summary.duplicates

    with pytest.raises(Retryable):
        imported(4)
    assert (6, 4) == imported(3)
    assert (0, 10) == imported(20)
    assert opened.store.writer.trades_stored == 10
    count = "SELECT count(), uniqExact(market_id, sequence, tie) FROM trades"
    rows = opened.store.writer.call(lambda client: client.query(count).result_rows).result(30)
    assert [(10, 10)] == rows
    assert asyncio.run(_closes(opened)) == [2_009.5]


async def _closes(opened: Opened) -> list[float]:
    datafeed = opened.datafeed()
    market = datafeed.catalogue.resolve("GOLD")
    return (await datafeed.candles(market, parse("1h"), 0, 2_000_000_000)).candles.close


def test_the_same_id_with_other_content_is_named(tmp_path: Path, opened: Opened) -> None:
    header = "symbol,time,price,size,id"

    def submit(submission: bytes) -> Receipt:
        return opened.store.writer.submit(*decoded(submission)).result(30)

    def run_it(line: str) -> Summary:
        path = write(tmp_path, header, line)
        return import_file(path, TradeRows(path, {}, ""), submit, tmp_path / "s", lambda *_: None)

    run_it("GOLD,1700000000,5,1,x7")
    with pytest.raises(Conflict, match=r"trade id 'x7' is known with price 5\.0 and size 1"):
        run_it("GOLD,1700000000,6,1,x7")


def test_a_full_disk_is_an_error_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And stores nothing."""
    sink = Sink()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(importer.Spool, "add", full)
    with pytest.raises(OSError, match="No space left"):
        run(write(tmp_path, HEADER.strip(), *ROWS), sink)
    assert [] == sink.taken
