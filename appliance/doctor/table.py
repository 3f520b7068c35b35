"""The findings as plain text: a column for each endpoint, or a block where that is too wide."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from appliance.doctor.finding import ChainFindings, Finding, Sample
from appliance.following.progress import spoken

_GAP: Final = "  "
_UNKNOWN: Final = "?"
_SHOWN: Final = 10
_LONGEST: Final = 40
_MORE_HEADS: Final = ("base", "quote", "block", "log")
Cell = Callable[[Finding], str]


def text(chains: Iterable[ChainFindings], columns: int) -> str:
    """Return all findings; lines of tables are at most `columns` wide where they can be."""
    return "\n\n".join("\n".join(_chain(chain, columns)) for chain in chains)


def aligned(rows: Sequence[Sequence[str]], *, numbers: bool = False) -> list[str]:
    """Return rows with their cells below each other; `numbers`: all but the first to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        _GAP.join(
            cell.rjust(width) if numbers and nth else cell.ljust(width)
            for nth, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _chain(chain: ChainFindings, columns: int) -> Iterator[str]:
    known = f" (chain {chain.chain_id})" if chain.chain_id is not None else ""
    yield f"{chain.name}{known}"
    here = [e for e in chain.endpoints if e.answers and e.chain_id == chain.chain_id]
    if here:
        yield ""
        yield from _facts(here, columns)
        yield from _said(here)
    yield ""
    yield from _verdicts(chain.endpoints)
    yield from (f"warning: {warning}" for warning in chain.warnings)
    if chain.advice:
        yield ""
        yield "Recommended"
    for advice in chain.advice:
        value = f" = {advice.value}" if advice.value else ""
        yield f"  {advice.setting}{value}: {advice.why}"
    if chain.sample is not None:
        yield ""
        yield from _sample(chain.sample)


def _facts(endpoints: Sequence[Finding], columns: int) -> list[str]:
    rows = [(name, *map(cell, endpoints)) for name, cell in _CELLS]
    whole = aligned(rows)
    if max(map(len, whole)) <= columns or len(endpoints) == 1:
        return whole
    blocks = [aligned([(name, cell(found)) for name, cell in _CELLS]) for found in endpoints]
    return [line for block in blocks for line in (*block, "")][:-1]


def _said(endpoints: Sequence[Finding]) -> Iterator[str]:
    """Yield what the nodes themselves say of their limits."""
    for found in endpoints:
        for what, words in (("blocks", found.log_range_said), ("logs", found.most_logs_said)):
            if words:
                yield f"{found.name} says of more {what}: {words}"


def _verdicts(endpoints: Sequence[Finding]) -> Iterator[str]:
    """Yield one line for each endpoint, and below it each further reason."""
    width = max((len(found.name) for found in endpoints), default=0)
    for found in endpoints:
        first, *others = found.reasons or [""]
        yield f"{found.name:<{width}}{_GAP}{found.verdict}{': ' if first else ''}{first}"
        indent = " " * (width + len(_GAP) + len(found.verdict) + 2)
        yield from (indent + reason for reason in others)


def _number(value: int | None, unit: str = "") -> str:
    return _UNKNOWN if value is None else f"{value:,}{unit}"


def _yes(value: bool | None) -> str:
    return _UNKNOWN if value is None else "yes" if value else "no"


def _age(found: Finding) -> str:
    if found.head_age_s is None or found.head_age_s < 0:
        return _number(None if found.head_age_s is None else int(found.head_age_s), " s")
    return spoken(found.head_age_s)


def _behind(found: Finding) -> str:
    return f"{found.behind:,} blocks, {spoken(found.behind_s)}" if found.behind else "0"


def _finalized(found: Finding) -> str:
    if found.finalized is not None:
        return f"{found.finalized:,} blocks below the head"
    return _UNKNOWN if "finalized tag" in found.unknown else "not known to it"


def _states(found: Finding) -> str:
    if found.oldest_state is None:
        return _UNKNOWN
    return "all" if found.oldest_state <= 1 else f"from about block {found.oldest_state:,}"


def _log_range(found: Finding) -> str:
    if found.log_range is None:
        return _UNKNOWN
    if found.log_range == 0:
        return "none"
    if found.log_range_slow:
        return f"{found.log_range:,} blocks, then slow"
    return f"{found.log_range:,} blocks" if found.log_range_said else "all blocks"


def _most_logs(found: Finding) -> str:
    if found.most_logs is None:
        return _UNKNOWN
    return f"{found.most_logs:,}" + (", more refused" if found.most_logs_said else " seen")


def _blanks(found: Finding) -> str:
    return _UNKNOWN if found.blanks is None else f"{found.blanks} of 4" if found.blanks else "none"


def _batch(found: Finding) -> str:
    return "refused" if found.batch == 1 else _number(found.batch, " calls")


def _rate(found: Finding) -> str:
    if found.rate is None:
        return _UNKNOWN
    if found.rate_paced:
        return f"{found.rate:,.0f} or more"
    return f"{'at most' if found.rate_said else 'about'} {found.rate:,.0f}"


def _latency(found: Finding) -> str:
    return _UNKNOWN if found.latency_ms is None else f"{found.latency_ms:,.1f} ms"


_CELLS: Final[tuple[tuple[str, Cell], ...]] = (
    ("endpoint", lambda found: found.name),
    ("chain", lambda found: _number(found.chain_id).replace(",", "")),
    ("client", lambda found: _short(found.client or _UNKNOWN)),
    ("head", lambda found: _number(found.head)),
    ("age of the head", _age),
    ("behind the others", _behind),
    ("finalized", _finalized),
    ("old states", _states),
    ("logs in one answer", _log_range),
    ("most logs", _most_logs),
    ("times in logs", lambda found: _yes(found.block_time)),
    ("blooms tell of logs", lambda found: _yes(found.blooms)),
    ("wrongly empty", _blanks),
    ("batches", _batch),
    ("requests/s", _rate),
    ("latency", _latency),
    ("agrees with others", lambda found: _yes(found.agrees)),
)


def _sample(sample: Sample) -> Iterator[str]:
    yield f"Sample of contract {', '.join(_few(sample.addresses))}"
    if sample.markets:
        word = "market" if len(sample.markets) == 1 else "markets"
        newest = " (the newest of the factory)" if sample.newest_only else ""
        yield f"  {len(sample.markets):,} {word}{newest}: {', '.join(_few(sample.markets))}"
    if sample.logs:
        blocks = f"{sample.from_block:,} to {sample.to_block:,}"
        yield f"  {sample.logs:,} logs in blocks {blocks}"
    elif sample.to_block:
        yield from _nothing(sample)
    if sample.events:
        yield ""
        heads = ("event", "decoded", "ignored", "malformed")
        rows = [
            (_short(e.event), f"{e.decoded:,}", f"{e.ignored:,}", f"{e.malformed:,}")
            for e in sample.events
        ]
        yield from ("  " + line for line in aligned([heads, *rows], numbers=True))
    yield from (f"  problem: {problem}" for problem in sample.problems)
    if sample.logs and not any(e.decoded or e.malformed for e in sample.events):
        yield "  none of these events is one of the preset; it names:"
        yield from _wanted(sample)
    if sample.trades:
        yield ""
        yield "  newest trades"
        yield from _trades(sample)


def _nothing(sample: Sample) -> Iterator[str]:
    blocks = f"{sample.from_block:,} to {sample.to_block:,}"
    yield f"  no logs in blocks {blocks}; looked for any event of the contracts, to decode:"
    yield from _wanted(sample)


def _wanted(sample: Sample) -> Iterator[str]:
    yield from ("    " + line for line in aligned(list(sample.topics.items())))


def _trades(sample: Sample) -> Iterator[str]:
    heads = ("market", "time (UTC)", "kind", "side", "paid", "after", "in candles")
    rows = [
        (
            *(trade.market, trade.time, trade.kind, trade.side or "-"),
            *(_price(price) for price in (trade.execution_price, trade.mark_price, trade.price)),
            *(trade.base_volume, trade.quote_volume),
            *(f"{trade.block_number:,}", str(trade.log_index)),
        )
        for trade in sample.trades
    ]
    yield from ("  " + line for line in aligned([(*heads, *_MORE_HEADS), *rows]))


def _price(price: float | None) -> str:
    return "-" if price is None else f"{price:.10g}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _few(words: Sequence[str]) -> list[str]:
    return [*words[:_SHOWN], *(["…"] if len(words) > _SHOWN else [])]
