"""Tallies: what became of a sample's logs, event by event, and its newest trades."""

from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from typing import Final

import pyarrow as pa

from appliance.chain.counts import Counts
from appliance.chain.created import created
from appliance.chain.decode import Decoded, Decoder
from appliance.chain.log import Logs
from appliance.chain.preset import Preset
from appliance.doctor.finding import EventCount, SampleTrade
from appliance.model import LOG_INDEX_BITS, MarketSpec

Names = dict[str, str]
"""The name of an event by its topic 0."""
_TRADES: Final = 5
_ROWS: Final = 500
"""Of the newest rows, so many are searched for trades."""


def names_of(presets: Iterable[Preset]) -> Names:
    """Return the names of the presets' events; with types where two have the same name."""
    events = {t: e.event for p in presets for t, e in (p.events | p.creations).items()}
    plain = [event.name for event in events.values()]
    return {t: e.name if plain.count(e.name) == 1 else e.canonical for t, e in events.items()}


def event_counts(names: Names, decoder: Decoder, logs: Logs, decoded: Decoded) -> list[EventCount]:
    """Return what became of each log, by event; `decoder` has decoded `logs` to `decoded`.

    What left neither a row nor a mark is decoded once more, by itself, and so is known to be left
    out or malformed. The decoder is of no use any more after that.
    """
    kept = set(decoded.trades.column("sequence").to_pylist()) | {m.sequence for m in decoded.marks}
    found: dict[str, EventCount] = {}
    for row in range(len(logs)):
        count = _of_event(found, names, logs, row)
        if (logs.block_number[row] << LOG_INDEX_BITS) | logs.log_index[row] in kept:
            count.decoded += 1
            continue
        alone = decoder.decode(part(logs, [row]))
        silent = alone.counts.decoded and not (alone.trades.num_rows or alone.marks)
        if silent:  # a price that is no row
            count.decoded += 1
        elif alone.counts.ignored or alone.counts.foreign:
            count.ignored += 1
        else:
            count.malformed += 1
    return list(found.values())


def creation_counts(
    names: Names, preset: Preset, logs: Logs, factories: Collection[str]
) -> tuple[list[EventCount], Counts]:
    """Return what became of the logs of `factories`, by event and all together."""
    found: dict[str, EventCount] = {}
    whole = Counts()
    for row in range(len(logs)):
        count, alone = _of_event(found, names, logs, row), Counts()
        created(preset, part(logs, [row]), factories, alone)
        count.decoded += alone.decoded
        count.ignored += alone.ignored + alone.foreign
        for example in alone.examples:
            count.malformed += 1
            whole.add_malformed(example)
    return list(found.values()), whole


def part(logs: Logs, rows: Sequence[int]) -> Logs:
    """Return some of the logs."""
    return Logs(
        [logs.block_number[row] for row in rows],
        [logs.time_us[row] for row in rows],
        [logs.transaction_hash[row] for row in rows],
        [logs.log_index[row] for row in rows],
        [logs.address[row] for row in rows],
        [logs.topics[row] for row in rows],
        [logs.data[row] for row in rows],
    )


def newest_trades(specs: Sequence[MarketSpec], table: pa.Table) -> list[SampleTrade]:
    """Return the newest rows that are trades, the newest first."""
    rows = table.slice(max(0, table.num_rows - _ROWS)).to_pylist()
    trades = [row for row in reversed(rows) if row["kind"] != "mark"][:_TRADES]
    return [
        SampleTrade(
            market=specs[row["market_id"]].symbol,
            time=f"{row['time']:%Y-%m-%d %H:%M:%S}",
            kind=row["kind"],
            side=row["side"],
            price=row["price"],
            execution_price=row["execution_price"],
            mark_price=row["mark_price"],
            base_volume=_plain(row["base_volume"]),
            quote_volume=_plain(row["quote_volume"]),
            block_number=row["block_number"],
            log_index=row["log_index"],
        )
        for row in trades
    ]


def _of_event(found: dict[str, EventCount], names: Names, logs: Logs, row: int) -> EventCount:
    topics = logs.topics[row]
    topic = topics[0].lower() if topics else "without a topic"
    return found.setdefault(topic, EventCount(event=names.get(topic, topic)))


def _plain(volume: Decimal) -> str:
    """Return a volume without an exponent and without zeros at its end."""
    return f"{volume.normalize():f}" if volume else "0"
