"""Decode logs into trades.

In go logs of one chain, in any order, from anyone; out comes one Arrow table of TRADE_SCHEMA,
ascending by sequence, whose `market_id` is an index into `Decoder.specs`. Promises:
- only contracts that were named are believed: a topic0 alone proves nothing;
- integers stay exact, prices are rounded once;
- no log is fatal: what is not ours, not known or not well formed is counted, and the first
  malformed ones are named;
- `price` is `execution_price` or `mark_price` as the market's rule says, and nothing else, so
  that a change of rule can be replayed from what is stored.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from appliance.chain.counts import ChainMark, Counts, Malformed
from appliance.chain.log import Logs
from appliance.chain.market import ContractMarket
from appliance.chain.memory import Memory
from appliance.chain.plan import Plan, Rows
from appliance.chain.preset import Preset
from appliance.chain.price import Fraction, Problems
from appliance.chain.sites import Site, Sites
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


class Decoder:
    """Logs of the given markets' contracts become trades.

    Holds a `Memory`; apart from it, decoding the same logs gives the same rows. Calls must not
    overlap.
    """

    def __init__(
        self, chain_id: int, markets: Sequence[ContractMarket] = (), memory: Memory | None = None
    ) -> None:
        """Begin with these markets, as `add` does."""
        self.chain_id = chain_id
        self.memory = memory if memory is not None else Memory()
        self._sites = Sites()
        self.add(markets)

    @property
    def specs(self) -> tuple[MarketSpec, ...]:
        """Return the markets in the order they were added; `market_id` counts them from 0."""
        return self._sites.specs

    def add(self, markets: Iterable[ContractMarket]) -> None:
        """Believe these markets' contracts too; what is remembered of others stays.

        Raises:
            ConfigError: two markets claim the same contract (and key).
        """
        self._sites.add(markets)

    def watch(self, address: str, preset: Preset) -> None:
        """Believe a contract that holds many markets, so that `unknown` finds them.

        Raises:
            ConfigError: the contract is known with another preset, or its preset has no keys.
        """
        self._sites.watch(address, preset)

    def unknown(self, logs: Logs) -> list[tuple[str, str]]:
        """Return (contract, key) of markets in these logs that nobody added.

        Each comes once, in the order of the chain; contracts are believed ones, in lower case,
        keys are 0x and 64 digits. Asked before `decode`, the markets can be added in time:
        decoding logs a second time would find marks remembered that come after them.
        """
        return self._sites.unknown(logs)

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
        find = self._sites.find
        for row, (address, topics) in enumerate(zip(logs.address, logs.topics, strict=True)):
            site = find(address)
            if site is None:
                counts.foreign += 1
                continue
            route = site.route(topics, logs.data[row])
            if route is None:
                _leave_out(site, logs, row, counts)
                continue
            market, plan = route
            group = groups.get(plan)
            if group is None:
                group = groups[plan] = _Group()
            group.log.append(row)
            group.market.append(market)
        return groups

    def _recall(self, logs: Logs, groups: list[tuple[Plan, Rows]]) -> None:
        """Let the memory learn and answer in the order of the chain, across all events."""
        steps: list[tuple[int, int, int]] = []
        told: dict[int, list[Fraction | None]] = {}
        for number, (plan, rows) in enumerate(groups):
            rows.long = [None] * len(rows.log)
            rows.mark = [None] * len(rows.log)
            if plan.tells_mark and self._sites.asks_mark:
                told[number] = plan.marks(rows)
            if number in told or plan.tells_side or plan.recalls_side or plan.recalls_mark:
                blocks, indexes = logs.block_number, logs.log_index
                steps += [
                    ((blocks[i] << LOG_INDEX_BITS) | indexes[i], number, row)
                    for row, i in enumerate(rows.log)
                ]
        spots: dict[str, tuple[int, Fraction]] = {}
        for place, number, row in sorted(steps):
            plan, rows = groups[number]
            contract = self._sites.keys[rows.market[row]]
            self._side(plan, rows, row, contract)
            block = place >> LOG_INDEX_BITS
            if plan.recalls_mark:
                spot = spots.get(contract)
                fresh = spot is not None and spot[0] == block
                rows.mark[row] = spot[1] if spot and fresh else self.memory.mark(contract)
            mark = told[number][row] if number in told else None
            if mark is None or mark[0] <= 0 or mark[1] <= 0:
                continue
            if plan.form.kind == "sync":
                spots[contract] = block, mark
            else:
                spots.pop(contract, None)
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


def _leave_out(site: Site, logs: Logs, row: int, counts: Counts) -> None:
    """Count a log that no plan reads: it is of no interest, or its market cannot be told."""
    reason = site.problem(logs.topics[row], logs.data[row])
    if reason:
        where = logs.block_number[row], logs.log_index[row], logs.transaction_hash[row]
        name = site.preset.events[logs.topics[row][0].lower()].event.name
        counts.add_malformed(Malformed(*where, name, reason))
    else:
        counts.ignored += 1


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
