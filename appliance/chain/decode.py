"""Decode logs into trades.

In go logs of one chain, in any order, from anyone; out comes one Arrow table of TRADE_SCHEMA,
ascending by sequence, whose `market_id` is an index into `Decoder.specs`. Promises:
- only contracts named at the start are believed: a topic0 alone proves nothing;
- integers stay exact, prices are rounded once;
- no log is fatal: what is not ours, not known or not well formed is counted, and the first
  malformed ones are named;
- `price` is `execution_price` or `mark_price` as the market's rule says, and nothing else, so
  that a change of rule can be replayed from what is stored.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from appliance.chain.counts import ChainMark, Counts, Malformed
from appliance.chain.log import Logs
from appliance.chain.market import ContractMarket, MarketTerms
from appliance.chain.memory import Memory
from appliance.chain.plan import Plan, Rows
from appliance.chain.preset import Preset
from appliance.chain.price import Problems
from appliance.errors import ConfigError
from appliance.model import LOG_INDEX_BITS, TRADE_SCHEMA, MarketSpec


@dataclass(frozen=True, slots=True)
class Decoded:
    """What logs became: rows of TRADE_SCHEMA, marks that are no rows, and the counts."""

    trades: pa.Table
    marks: list[ChainMark]
    counts: Counts


@dataclass(slots=True)
class _Group:
    """Logs of one plan, by their number in the batch, with their markets."""

    log: list[int] = field(default_factory=list)
    market: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Site:
    """A believed contract: its plans by topic0, its market or (where keyed) its markets."""

    plans: dict[str, Plan]
    market: int
    keyed: dict[str, tuple[int, dict[str, Plan]]]


class Decoder:
    """Logs of the given markets' contracts become trades.

    Holds a `Memory`; apart from it, decoding the same logs gives the same rows. Calls must not
    overlap.
    """

    def __init__(
        self, chain_id: int, markets: Sequence[ContractMarket], memory: Memory | None = None
    ) -> None:
        """Compile the markets' presets.

        Raises:
            ConfigError: two markets claim the same contract (and key).
        """
        self.chain_id = chain_id
        self.memory = memory if memory is not None else Memory()
        self.specs: tuple[MarketSpec, ...] = tuple(m.market_spec for m in markets)
        self._keys = [m.market_key for m in markets]
        self._sites: dict[str, _Site] = {}
        compiled: dict[tuple[Preset, MarketTerms], dict[str, Plan]] = {}
        for index, market in enumerate(markets):
            at = market.preset, market.terms
            if at not in compiled:
                events = market.preset.events.items()
                compiled[at] = {t: Plan(event, market.terms) for t, event in events}
            self._add(index, market, compiled[at])

    def _add(self, index: int, market: ContractMarket, plans: dict[str, Plan]) -> None:
        address, key = market.address.lower(), market.key.lower()
        site = self._sites.setdefault(address, _Site(plans, index, {}))
        taken = key in site.keyed if key and site.keyed else site.market != index
        if taken:
            raise ConfigError(f"contract {address} must be given once: remove one market")
        if key:
            site.keyed[key] = index, plans

    def decode(self, logs: Logs) -> Decoded:
        """Return what `logs` hold; the memory learns from them."""
        counts = Counts()
        groups: list[tuple[Plan, Rows]] = []
        for plan, group in self._routed(logs, counts).items():
            rows, problems = plan.read(logs, group.log, group.market)
            _report(plan, logs, problems, counts)
            groups.append((plan, _without_zeros(plan, rows, counts)))
        self._recall(logs, groups)
        marks: list[ChainMark] = []
        tables: list[pa.Table] = []
        for plan, rows in groups:
            if plan.form.kind == "funding":
                marks += _marks(plan, rows, logs)
                counts.decoded += len(rows.log)
            elif plan.form.kind == "sync":
                counts.decoded += len(rows.log)
            else:
                table, problems = plan.table(rows, logs, self.chain_id)
                _report(plan, logs, {rows.log[r]: p for r, p in problems.items()}, counts)
                counts.decoded += table.num_rows
                tables.append(table)
        return Decoded(_sorted(tables), marks, counts)

    def _routed(self, logs: Logs, counts: Counts) -> dict[Plan, _Group]:
        """Return the logs that a plan understands, by plan."""
        groups: dict[Plan, _Group] = {}
        sites = self._sites
        for row, (address, topics) in enumerate(zip(logs.address, logs.topics, strict=True)):
            site = sites.get(address) or sites.get(address.lower())
            if site is None:
                counts.foreign += 1
                continue
            plan = site.plans.get(topics[0].lower()) if topics else None
            market = site.market
            if plan is not None and site.keyed:
                market, plan = _keyed(site, plan, topics, logs.data[row])
            if plan is None:
                counts.ignored += 1
                continue
            group = groups.get(plan)
            if group is None:
                group = groups[plan] = _Group()
            group.log.append(row)
            group.market.append(market)
        return groups

    def _recall(self, logs: Logs, groups: list[tuple[Plan, Rows]]) -> None:
        """Let the memory learn and answer in the order of the chain, across all events."""
        asks_mark = any(p.recalls_mark for site in self._sites.values() for p in _plans(site))
        steps: list[tuple[int, int, int]] = []
        told: dict[int, list[tuple[int, int] | None]] = {}
        for number, (plan, rows) in enumerate(groups):
            rows.long = [None] * len(rows.log)
            rows.mark = [None] * len(rows.log)
            if plan.tells_mark and asks_mark:
                told[number] = plan.marks(rows)
            if number in told or plan.tells_side or plan.recalls_side or plan.recalls_mark:
                block, index = logs.block_number, logs.log_index
                steps += [
                    ((block[i] << LOG_INDEX_BITS) | index[i], number, row)
                    for row, i in enumerate(rows.log)
                ]
        for _, number, row in sorted(steps):
            plan, rows = groups[number]
            contract = self._keys[rows.market[row]]
            self._side(plan, rows, row, contract)
            if plan.recalls_mark:
                rows.mark[row] = self.memory.mark(contract)
            mark = told[number][row] if number in told else None
            if mark is not None and mark[0] > 0 and mark[1] > 0:
                self.memory.remember_mark(contract, mark)

    def _side(self, plan: Plan, rows: Rows, row: int, contract: str) -> None:
        side, position = plan.form.side, plan.form.position
        if side is None:
            return
        if side.position is not None:
            known = str(rows.values[side.position][row])
            rows.long[row] = self.memory.long(contract, known)
        elif side.flag is not None and position is not None:
            opened = str(rows.values[position][row])
            long = bool(rows.values[side.flag][row]) == (side.long == "buy")
            self.memory.remember_side(contract, opened, long)


def _plans(site: _Site) -> Iterator[Plan]:
    yield from site.plans.values()


def _keyed(site: _Site, plan: Plan, topics: Sequence[str], data: str) -> tuple[int, Plan | None]:
    """Return the market that a log of a shared contract names, and that market's plan."""
    if plan.market is None:
        return site.market, None
    word = plan.market.word
    if word < plan.event.topics:
        key = topics[word + 1] if len(topics) > word + 1 else ""
    else:
        start = 2 + 64 * (word - plan.event.topics)
        key = "0x" + data[start : start + 64]
    market, plans = site.keyed.get(key.lower(), (site.market, None))
    return market, plans[plan.event.topic0] if plans is not None else None


def _without_zeros(plan: Plan, rows: Rows, counts: Counts) -> Rows:
    """Return the rows without those that the preset skips; these are ignored."""
    if plan.form.skip_zero is None:
        return rows
    keep = [row for row, value in enumerate(rows.values[plan.form.skip_zero]) if value]
    counts.ignored += len(rows.log) - len(keep)
    return Rows(
        [rows.log[row] for row in keep],
        [rows.market[row] for row in keep],
        {name: [column[row] for row in keep] for name, column in rows.values.items()},
        [rows.trader[row] for row in keep] if rows.trader else [],
    )


def _report(plan: Plan, logs: Logs, problems: Problems, counts: Counts) -> None:
    for i, reason in sorted(problems.items()):
        where = logs.block_number[i], logs.log_index[i], logs.transaction_hash[i]
        counts.add_malformed(Malformed(*where, plan.event.name, reason))


def _marks(plan: Plan, rows: Rows, logs: Logs) -> Iterator[ChainMark]:
    for market, i, value in zip(rows.market, rows.log, plan.rates(rows), strict=True):
        sequence = (logs.block_number[i] << LOG_INDEX_BITS) | logs.log_index[i]
        where = market, logs.time_us[i], sequence
        yield ChainMark(*where, plan.form.kind, value, logs.transaction_hash[i])


def _sorted(tables: list[pa.Table]) -> pa.Table:
    """Return the rows of all tables, ascending by sequence, in one piece."""
    whole = pa.concat_tables([TRADE_SCHEMA.empty_table(), *tables])
    order = pc.sort_indices(whole, sort_keys=[("sequence", "ascending")])
    return whole.take(order).combine_chunks()
