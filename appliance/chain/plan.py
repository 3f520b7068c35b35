"""Plans: one event of a preset under one market's terms, compiled to work on whole columns."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow as pa

from appliance.chain import abi, price, words
from appliance.chain.event import EventPreset
from appliance.chain.form import Number, Price
from appliance.chain.log import Logs
from appliance.chain.market import MarketTerms
from appliance.chain.price import Fractions, Problems, Values
from appliance.chain.signature import Argument
from appliance.model import LOG_INDEX_BITS, TRADE_SCHEMA, scaled, trade_table, wide

_LARGEST_LEVERAGE: Final = 3e38  # float32 holds no more


@dataclass(slots=True)
class Rows:
    """Well-shaped logs of one plan as columns: where they come from and what they hold."""

    log: list[int]
    market: list[int]
    values: Values
    trader: list[str] = field(default_factory=list)
    long: list[bool | None] = field(default_factory=list)
    mark: Fractions = field(default_factory=list)


class Plan:
    """How logs of one event become rows."""

    def __init__(self, preset: EventPreset, terms: MarketTerms) -> None:
        """Find the arguments that are used, and what must be remembered."""
        self.event = preset.event
        self.form = form = preset.form
        self.terms = terms
        self.is_trade = preset.is_trade
        names = [name for number in preset.numbers.values() for name, _ in number.terms]
        for source in (form.execution, form.after):
            names += source.arguments if isinstance(source, Price) else []
        side = form.side
        if side is not None:
            names += [n for n in (side.flag, side.position) if n] + [n for n, _ in side.terms]
        names += [name for name in (form.position, form.skip_zero, form.liquidated) if name]
        self.numeric: list[Argument] = [preset.argument(name) for name in dict.fromkeys(names)]
        self.trader = preset.argument(form.trader) if form.trader else None
        self.market = preset.argument(form.market) if form.market else None
        self.recalls_mark = preset.recalls_mark
        self.recalls_side = preset.recalls_side
        self.tells_side = preset.tells_side
        self.tells_mark = preset.tells_mark

    def read(self, logs: Logs, log: Sequence[int], market: Sequence[int]) -> tuple[Rows, Problems]:
        """Return the rows of well-shaped logs, and what is wrong with others by log number."""
        problems: Problems = {}
        topics, data, indexes = logs.topics, logs.data, logs.log_index
        for i in log:
            problem = self._shape_problem(topics[i], data[i])
            if problem:
                problems[i] = problem
            elif indexes[i] >> LOG_INDEX_BITS:
                problems[i] = f"log index must be below 2^{LOG_INDEX_BITS}, was {indexes[i]}"
        kept = [(i, m) for i, m in zip(log, market, strict=True) if i not in problems]
        block, bad = words.parse(
            self.event, [topics[i] for i, _ in kept], [data[i] for i, _ in kept]
        )
        good = np.ones(len(kept), np.bool_)
        good[list(bad)] = False
        problems.update((kept[row][0], reason) for row, reason in bad.items())
        for argument in (*self.numeric, *([self.trader] if self.trader else [])):
            wrong = words.range_problems(argument, block) & good
            reason = f"{argument.name} must be of type {argument.type}"
            problems.update((kept[row][0], reason) for row in np.flatnonzero(wrong))
            good &= ~wrong
        if not good.all():
            block = block[good]
            kept = [pair for pair, ok in zip(kept, good, strict=True) if ok]
        values = {a.name: words.integers(a, block) for a in self.numeric}
        trader = words.addresses(self.trader, block) if self.trader else []
        return Rows([i for i, _ in kept], [m for _, m in kept], values, trader), problems

    def _shape_problem(self, topics: Sequence[str], data: str) -> str:
        """Return what is wrong with a log's shape, empty when nothing is."""
        if not self.event.dynamic:
            return words.shape_problem(self.event, topics, data)
        try:
            abi.values(self.event, topics, data)
        except ValueError as error:
            return str(error)
        return ""

    def marks(self, rows: Rows) -> Fractions:
        """Return the mark price that each row tells."""
        return price.fractions(self.form.after, self.form, rows.values, self.terms, []) or []

    def rates(self, rows: Rows) -> list[float]:
        """Return the value of each row of kind funding."""
        if self.form.value is None:
            return []
        divisor = 10 ** price.exponent(self.form.value.scale, self.terms)
        return [v / divisor for v in price.total(self.form.value.terms, rows.values)]

    def table(self, rows: Rows, logs: Logs, chain_id: int) -> tuple[pa.Table, Problems]:
        """Return a table of TRADE_SCHEMA, and what is wrong with rows it leaves out."""
        count = len(rows.log)
        problems: Problems = {}
        fractions = partial(
            price.fractions,
            form=self.form,
            values=rows.values,
            terms=self.terms,
            marks=rows.mark,
        )
        execution, after = fractions(self.form.execution), fractions(self.form.after)
        columns: dict[str, Any] = _coordinates(rows, logs, chain_id)
        for key, prices in (("execution", execution), ("mark", after)):
            column = price.floats(prices, key, problems)
            if column is not None:
                columns[f"{key}_price"] = pa.array(column, pa.float64())
        chosen = "execution_price" if self.terms.price_rule == "execution" else "mark_price"
        if chosen in columns:
            columns["price"] = columns[chosen]
        columns["kind"] = self._kinds(rows, count)
        columns["raw_price"] = wide(self._raw_price(rows, count))
        if self.is_trade:
            columns |= self._volumes(rows, execution or after or rows.mark, problems)
            columns |= self._facts(rows, problems)
        table = trade_table(count, **columns)
        if problems:
            table = table.filter(pa.array([row not in problems for row in range(count)]))
        return table, problems

    def _kinds(self, rows: Rows, count: int) -> pa.Array:
        if self.form.liquidated is None:
            return pa.repeat(pa.scalar(self.form.kind), count)
        flags = rows.values[self.form.liquidated]
        return pa.array(["liquidation" if flag else self.form.kind for flag in flags], pa.string())

    def _numbers(self) -> tuple[Number | None, Number | None]:
        """Return base and quote as the market sees them."""
        base, quote = self.form.base, self.form.quote
        return (quote, base) if self.terms.invert else (base, quote)

    def _volumes(self, rows: Rows, prices: Fractions, problems: Problems) -> dict[str, pa.Array]:
        """Return exact volumes; one that the event does not tell follows from the price."""
        raw: dict[str, list[int]] = {}
        digits: dict[str, int] = {}
        for key, number in zip(("base", "quote"), self._numbers(), strict=True):
            if number is not None:
                raw[key] = [abs(v) for v in price.total(number.terms, rows.values)]
                digits[key] = price.exponent(number.scale, self.terms)
        volumes = {key: price.rescale(column, digits[key]) for key, column in raw.items()}
        for key, other in (("base", "quote"), ("quote", "base")):
            if key not in raw:
                times = key == "quote"
                volumes[key] = price.at_price(raw[other], digits[other], prices, times, problems)
        columns = {
            f"{key}_volume": scaled(price.limited(column, f"{key} volume", problems))
            for key, column in volumes.items()
        }
        size = raw.get("base") or raw["quote"]
        return columns | {"raw_size": wide(price.words(size, problems))}

    def _facts(self, rows: Rows, problems: Problems) -> dict[str, Any]:
        """Return everything about a trade that is neither price nor volume."""
        form, columns = self.form, dict[str, Any]()
        for key in ("fee", "pnl"):
            number: Number | None = getattr(form, key)
            if number is not None:
                column = price.total(number.terms, rows.values)
                column = price.rescale(column, price.exponent(number.scale, self.terms))
                columns[key] = scaled(price.limited(column, key, problems))
        if form.leverage is not None:
            columns["leverage"] = self._leverage(form.leverage, rows, problems)
        if rows.trader:
            columns["trader"] = pa.array(rows.trader, pa.string())
        if form.position:
            columns["position_id"] = pa.array(map(str, rows.values[form.position]), pa.string())
        sides = self._sides(rows)
        if sides is not None:
            columns["side"] = pa.array(sides, pa.string())
        return columns

    def _leverage(self, number: Number, rows: Rows, problems: Problems) -> pa.Array:
        divisor = 10 ** price.exponent(number.scale, self.terms)
        column = [v / divisor for v in price.total(number.terms, rows.values)]
        for row, value in enumerate(column):
            if abs(value) > _LARGEST_LEVERAGE:
                problems.setdefault(row, f"leverage must be below 3e38, was {value:.3g}")
                column[row] = 0.0
        return pa.array(np.array(column, np.float32))

    def _sides(self, rows: Rows) -> list[str] | None:
        """Return what each trader did to the market's base."""
        side = self.form.side
        if side is None:
            return None
        if side.sign is not None:
            buys, sells = ("sell", "buy") if self.terms.invert else ("buy", "sell")
            column = price.total(side.terms, rows.values)
            return [buys if v > 0 else sells if v < 0 else "" for v in column]
        yes, no = ("buy", "sell") if (side.long == "buy") != self.terms.invert else ("sell", "buy")
        known = rows.values[side.flag] if side.flag is not None else rows.long
        return ["" if long is None else yes if long else no for long in known]

    def _raw_price(self, rows: Rows, count: int) -> list[int]:
        """Return the price as emitted: of `after` where that is one word, else of `execution`."""
        for source in (self.form.after, self.form.execution):
            name = isinstance(source, Price) and (source.argument or source.sqrt_x96)
            if name:
                return [abs(v) for v in rows.values[name]]
        return [0] * count


def _coordinates(rows: Rows, logs: Logs, chain_id: int) -> dict[str, Any]:
    """Return the columns that say where on the chain each row comes from."""
    at = rows.log
    block = np.array([logs.block_number[i] for i in at], np.uint64)
    index = np.array([logs.log_index[i] for i in at], np.uint32)
    time = np.array([logs.time_us[i] for i in at], np.int64)
    sequence = (block << np.uint64(LOG_INDEX_BITS)) | index.astype(np.uint64)
    return {
        "market_id": pa.array(np.array(rows.market, np.uint32)),
        "time": pa.array(time).cast(TRADE_SCHEMA.field("time").type),
        "sequence": pa.array(sequence),
        "chain_id": pa.array(np.full(len(at), chain_id, np.uint64)),
        "block_number": pa.array(block),
        "log_index": pa.array(index),
        "transaction_hash": pa.array([logs.transaction_hash[i] for i in at], pa.string()),
    }
