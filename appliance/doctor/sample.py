"""A sample: the newest logs of the configured contracts, and what their presets make of them.

This is how a preset is checked: all events of the contracts are read, also those it does not name,
and each log is counted as decoded, ignored or malformed. Bounded in requests, logs and time.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from appliance.chain.counts import Counts, Malformed
from appliance.chain.decode import Decoder
from appliance.chain.log import Logs
from appliance.doctor.examine import Case
from appliance.doctor.finding import Sample
from appliance.doctor.tally import creation_counts, event_counts, names_of, newest_trades
from appliance.errors import ConfigError
from appliance.following.chains import ChainTerms
from appliance.following.discovery import Discovery
from appliance.following.reader import columns
from appliance.following.tokens import Tokens
from appliance.rpc.errors import RangeTooWide, RpcError, TooManyResults
from appliance.rpc.probe import Patient, any_logs
from appliance.rpc.records import LogRecord

_ENOUGH: Final = 200
_MOST_LOGS: Final = 2_000
_MARKETS_MADE: Final = 8
_MOST_ADDRESSES: Final = 50
_PAGES: Final = 12
_FIRST_WIDTH: Final = 100
_GROWTH: Final = 4
_MOST_HEADERS: Final = 100


async def taken(case: Case, terms: ChainTerms, seconds: float) -> Sample:
    """Return the sample that the endpoint of `case` gives within `seconds`."""
    patient, sampling = case.patient, _Sampling.of(case, terms, seconds)
    sample = sampling.sample
    try:
        async with asyncio.timeout(seconds):
            await sampling.fill()
    except TimeoutError:
        sample.problems.append("there was no time to read all of it")
    except RpcError as error:
        sample.problems.append(patient.words(error))
    except ConfigError as error:
        sample.problems.append(str(error))
    return sample


@dataclass(slots=True)
class _Sampling:
    """A sample in the making; `widest` is the number of blocks that one question may be about."""

    sample: Sample
    patient: Patient
    chain_id: int
    terms: ChainTerms
    discovery: Discovery
    head: int
    widest: int
    until: float

    @classmethod
    def of(cls, case: Case, terms: ChainTerms, seconds: float) -> "_Sampling":
        found, patient = case.finding, case.patient
        chain_id = found.chain_id or 0
        sample = Sample(
            addresses=[contract.address for contract in terms.contracts],
            topics={
                name: topic for topic, name in names_of(c.preset for c in terms.contracts).items()
            },
        )
        return cls(
            *(sample, patient, chain_id, terms, Discovery(chain_id, terms, Tokens(chain_id))),
            *(found.head or 0, found.log_range or _FIRST_WIDTH),
            patient.rate.now() + 0.8 * seconds,
        )

    async def fill(self) -> None:
        """Find markets, read their newest logs, decode them."""
        await self.discovery.configured(self.patient)
        await self._learn_of_factories()
        records = await self._with_times(await self._newest_logs())
        if records:
            await self._decode(columns(records))
        self.sample.markets = [market.spec.symbol for market in self.discovery.markets]

    async def _learn_of_factories(self) -> None:
        """Find the newest markets of each factory."""
        for contract in self.terms.contracts:
            if not contract.makes_markets:
                continue
            topics = contract.preset.creation_topics
            records, first = await self._pages([contract.address], topics, self.widest, 1)
            if not records and contract.factory:
                self.sample.problems.append(
                    f"factory {contract.address} made no market in blocks {first:,} to "
                    f"{self.head:,}"
                )
            logs = columns(records[-_MARKETS_MADE:])
            self.sample.newest_only |= len(records) > len(logs)
            names = names_of([contract.preset])
            counts, whole = creation_counts(names, contract.preset, logs, {contract.address})
            self.sample.events += counts
            self._name(whole.examples)
            await self.discovery.learn(self.patient, logs, Counts())

    async def _newest_logs(self) -> list[LogRecord]:
        """Return the newest logs of the markets, of any event, in the order of the chain."""
        markets = [market.address for market in reversed(self.discovery.markets)]
        holders = [address for address, _ in self.discovery.holders]
        addresses = list(dict.fromkeys([*holders, *markets]))[:_MOST_ADDRESSES]
        if not addresses:
            return []
        found, first = await self._pages(addresses, [], _FIRST_WIDTH, _ENOUGH)
        makers = frozenset(self.discovery.factories)  # some emit trades, too
        making = frozenset(self.discovery.factory_topics)
        found = [r for r in found if r.address not in makers or making.isdisjoint(r.topics[:1])]
        self.sample.logs, self.sample.from_block, self.sample.to_block = (
            *(len(found), first),
            self.head,
        )
        return found[-_MOST_LOGS:]

    async def _pages(
        self, addresses: Sequence[str], topics: Sequence[str], width: int, enough: int
    ) -> tuple[list[LogRecord], int]:
        """Go back from the head until there are `enough` logs; return them and where it ended."""
        found: list[LogRecord] = []
        last, widest = self.head, self.widest
        for _ in range(_PAGES):
            if last < 0 or len(found) >= enough or self.patient.rate.now() > self.until:
                break
            width = min(width, widest, last + 1)
            try:
                page = await any_logs(self.patient, last - width + 1, last, addresses, topics)
            except (RangeTooWide, TooManyResults):
                if width == 1:
                    raise
                width = widest = max(1, width // _GROWTH)
                continue
            found += (record for record in page if not record.removed)
            last -= width
            width *= _GROWTH
        return sorted(found, key=lambda r: (r.block_number, r.log_index)), last + 1

    async def _with_times(self, records: list[LogRecord]) -> list[LogRecord]:
        """Return the logs with their blocks' times, the newest where that are many blocks."""
        if all(record.block_time is not None for record in records):
            return records
        numbers = sorted({record.block_number for record in records})[-_MOST_HEADERS:]
        headers = await self.patient.headers(numbers)
        times = {header.number: header.time for header in headers}
        return [
            msgspec.structs.replace(record, block_time=times[record.block_number])
            for record in records
            if record.block_number in times
        ]

    async def _decode(self, logs: Logs) -> None:
        decoder = Decoder(self.chain_id, self.discovery.markets)
        for address, preset in self.discovery.holders:
            decoder.watch(address, preset)
        if unknown := decoder.unknown(logs):
            known = len(self.discovery.markets)
            await self.discovery.learn_keys(self.patient, unknown, min(logs.block_number))
            decoder.add(self.discovery.markets[known:])
        decoded = await asyncio.to_thread(decoder.decode, logs)
        names = {topic: name for name, topic in self.sample.topics.items()}
        self._name(decoded.counts.examples)
        self.sample.trades = newest_trades(decoder.specs, decoded.trades)
        self.sample.events += event_counts(names, decoder, logs, decoded)

    def _name(self, malformed: Iterable[Malformed]) -> None:
        self.sample.problems += [
            f"{bad.event} in block {bad.block_number:,}, log {bad.log_index}: {bad.reason}"
            for bad in malformed
        ]
