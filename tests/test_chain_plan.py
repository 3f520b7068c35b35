"""Presets that users may write and that none of ours is like."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.chain import preset
from appliance.chain.counts import Counts
from appliance.chain.decode import Decoded, Decoder
from appliance.chain.log import Log, Logs
from appliance.chain.market import ContractMarket
from appliance.chain.preset import Preset
from appliance.model import MarketSpec
from tests.chain_files import START, event
from tests.chain_logs import ALICE, ETHER, VAMM, exact, made

VOLUMES = (
    'kind = "trade"',
    'execution = "volumes"',
    'base = { argument = "size", scale = 18 }',
    'quote = { argument = "cost", scale = 18 }',
)


def decoded(read: Preset, *logs: Log) -> Decoded:
    return Decoder(1, [ContractMarket(VAMM, MarketSpec("X"), read)]).decode(Logs.of(logs))


def row(read: Preset, log: Log) -> dict[str, Any]:
    result = decoded(read, log)
    assert result.counts == Counts(decoded=1)
    found: list[dict[str, Any]] = result.trades.to_pylist()
    return found[0]


NOTED = preset.from_text(
    START
    + event("T(string note,uint256 size,uint256[] parts,uint256 cost,address who)", *VOLUMES)
    + 'trader = "who"',
    "mine.toml",
)


def noted(note: str = "hello", size: int = 2 * ETHER) -> Log:
    values = {"note": note, "size": size, "parts": [1, 2, 3], "cost": 8 * ETHER, "who": ALICE}
    return made(NOTED, "T", values)


@pytest.mark.parametrize("note", ["", "hello", "x" * 200, "価格"])
def test_texts_and_lists_between_the_numbers_do_no_harm(note: str) -> None:
    """8 for 2 is 4, however long the note is."""
    found = row(NOTED, noted(note))
    assert (found["execution_price"], found["base_volume"], found["trader"]) == (4.0, 2, ALICE)


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (noted()._replace(data=noted().data[:-64]), "data must be of the types in T(string,"),
        (noted()._replace(data="0x" + "f" * 64 + noted().data[66:]), "Invalid pointer"),
        (noted()._replace(data=noted().data[:100]), "data must be 5 words, was"),
    ],
)
def test_a_text_that_is_cut_off_is_named(log: Log, said: str) -> None:
    counts = decoded(NOTED, log, noted()).counts
    assert (counts.decoded, counts.malformed) == (1, 1)
    assert said in counts.examples[0].reason


@settings(max_examples=100, deadline=None)
@given(cut=st.integers(2, len(noted().data)), word=st.sampled_from(["", "f" * 64, "8" + "0" * 63]))
def test_no_log_of_any_length_is_fatal(cut: int, word: str) -> None:
    data = noted().data
    counts = decoded(
        NOTED, noted()._replace(data=data[:cut] + word + data[cut + len(word) :])
    ).counts
    assert counts.decoded + counts.malformed == 1


def test_arrays_of_fixed_length_and_tuples_are_stepped_over() -> None:
    declared = "T(uint256[3] parts,uint256 size,(address,(int8,bool)[2]) more,uint256 cost)"
    read = preset.from_text(START + _event(declared), "mine.toml")
    values = {"parts": [9, 9, 9], "size": 4 * ETHER, "more": (ALICE, [(1, True), (2, False)])}
    found = row(read, made(read, "T", values | {"cost": ETHER}))
    assert (found["execution_price"], found["base_volume"]) == (0.25, 4)


def _event(declared: str) -> str:
    """Return an [[event]] whose signature has tuples, with the right topic0."""
    from appliance.chain.signature import parse

    topic = parse(declared).topic0
    named = declared.replace("(address,(int8,bool)[2])", "(address who, (int8 a, bool b)[2] c)")
    lines = ["[[event]]", f'signature = "{named}"', f'topic0 = "{topic}"', *VOLUMES]
    return "\n".join(lines)


def test_finer_losses_are_cut_toward_zero() -> None:
    """A pnl with 20 digits after the point keeps 18 of them."""
    keys = (*VOLUMES, 'pnl = { argument = "pnl", scale = 20 }')
    text = START + event("T(uint256 size,uint256 cost,int256 pnl)", *keys)
    read = preset.from_text(text, "mine.toml")
    values = {"size": ETHER, "cost": ETHER}
    found = [row(read, made(read, "T", values | {"pnl": p}))["pnl"] for p in (-99, 99, -250)]
    assert found == [0, 0, exact(-2)]


def test_a_size_that_fits_no_word_is_named() -> None:
    """Two arguments may add up to more than the raw size holds."""
    keys = (
        'kind = "trade"',
        'execution = "volumes"',
        'base = { argument = ["a", "b"], scale = 77 }',
        'quote = { argument = "a", scale = 77 }',
    )
    read = preset.from_text(START + event("T(uint256 a,uint256 b)", *keys), "mine.toml")
    counts = decoded(read, made(read, "T", {"a": 2**256 - 1, "b": 1})).counts
    assert counts.examples[0].reason == "size must be below 2^256, was about 1.16e+77"
    assert row(read, made(read, "T", {"a": 2**255, "b": 2**255 - 1}))["quote_volume"] > 0


def test_a_mark_after_a_sync_is_the_newer_price() -> None:
    """A market may have both: a sync counts for its block, a mark until the next."""
    price = 'after = { argument = "p", scale = 0 }'
    text = START + event("Sync(uint256 p)", 'kind = "sync"', price)
    text += event("Mark(uint256 p)", 'kind = "mark"', price)
    trade = ('kind = "trade"', 'after = "remembered"', 'quote = { argument = "q", scale = 0 }')
    read = preset.from_text(text + event("T(uint256 q)", *trade), "mine.toml")
    logs = [
        made(read, "Mark", {"p": 2}, (1, 0)),
        made(read, "T", {"q": 8}, (1, 1)),
        made(read, "Sync", {"p": 4}, (2, 0)),
        made(read, "T", {"q": 8}, (2, 1)),
        made(read, "Mark", {"p": 8}, (2, 2)),
        made(read, "T", {"q": 8}, (2, 3)),
        made(read, "T", {"q": 8}, (3, 0)),
    ]
    rows = decoded(read, *logs).trades.to_pylist()
    assert [r["base_volume"] for r in rows if r["kind"] == "trade"] == [4, 2, 1, 1]
