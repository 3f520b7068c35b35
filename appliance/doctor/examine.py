"""Examine the endpoints of one chain: ask each what it can, all at once, within a time.

In: open endpoints. Out: a Finding for each, filled with facts; what they mean is said elsewhere.
A probe that fails or finds no time leaves its reason in `Finding.unknown` and the others go on.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.doctor.finding import Finding
from appliance.following.brief import told_by_bloom
from appliance.rpc import probe
from appliance.rpc.errors import RpcError
from appliance.rpc.probe import NOBODY, Patient
from appliance.rpc.records import Header, LogRecord

_BLOOMS: Final = 3
_LOG_RANGE_S: Final = 8.0
Step = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Case:
    """One endpoint under examination; `until` is a time of its own clock."""

    patient: Patient
    finding: Finding
    until: float

    @property
    def left_s(self) -> float:
        """Return how much time is left."""
        return max(0.0, self.until - self.patient.rate.now())

    async def note(self, what: str, work: Awaitable[None]) -> None:
        """Do a probe; where it fails, say why `what` is not known."""
        try:
            async with asyncio.timeout(self.left_s):
                await work
        except TimeoutError:
            self.finding.unknown[what] = "no time was left for it"
        except RpcError as error:
            self.finding.unknown[what] = self.patient.words(error)


async def first_look(case: Case, now: Callable[[], float] = time.time) -> None:
    """Ask for the chain and the head; without these the endpoint is of no use."""
    patient, finding = case.patient, case.finding
    try:
        async with asyncio.timeout(case.left_s):
            finding.chain_id = await probe.patiently(patient.chain_id, patient)
            head = await probe.patiently(lambda: patient.header("latest"), patient)
    except TimeoutError:
        finding.error = "it does not answer in time"
        return
    except RpcError as error:
        finding.error = patient.words(error)
        return
    if head is not None:
        finding.head, finding.head_time = head.number, head.time
        finding.head_age_s = round(now() - head.time, 1)


async def compare(cases: Sequence[Case], confirmations: int) -> int | None:
    """Ask all that are not far behind for the same block, and note who agrees with most.

    Returns its number, None with nobody to compare with. Where two halves differ nobody is right:
    then none of them agrees.
    """
    newest = max((case.finding.head or 0 for case in cases), default=0)
    near = [case for case in cases if newest - (case.finding.head or 0) <= max(confirmations, 64)]
    if len(near) < 2:
        return None
    number = max(0, min(case.finding.head or 0 for case in near) - confirmations)
    told: dict[str, Header] = {}

    async def ask(case: Case) -> None:
        header = await probe.patiently(lambda: case.patient.header(number), case.patient)
        if header is not None:
            told[case.finding.name] = header

    await asyncio.gather(*(case.note("agreement", ask(case)) for case in near))
    hashes = [header.hash for header in told.values()]
    for case in near:
        if (header := told.get(case.finding.name)) is not None:
            same = hashes.count(header.hash)
            case.finding.agrees = same == len(hashes) or same * 2 > len(hashes)
    return number


async def examine(case: Case, addresses: Sequence[str], step: Step) -> None:
    """Find out all the rest of one endpoint; `step` is called after each probe."""
    for what, work in (  # what matters most comes first, what may be refused for speed last
        ("latency", _latency),
        ("log range", _log_range),
        ("newest logs", _newest_logs),
        ("finalized tag", _finalized),
        ("old states", _states),
        ("client version", _client),
        ("batches", _batches),
        ("requests per second", _rate),
    ):
        await case.note(what, work(case, addresses))
        step()


PROBES: Final = 8
"""How often `examine` calls its `step`."""


async def _client(case: Case, _: Sequence[str]) -> None:
    case.finding.client = await case.patient.client()


async def _latency(case: Case, _: Sequence[str]) -> None:
    case.finding.latency_ms = round(1_000 * await probe.latency_s(case.patient), 1)


async def _finalized(case: Case, _: Sequence[str]) -> None:
    patient = case.patient
    header = await probe.patiently(lambda: patient.header("finalized"), patient)
    if header is not None:
        case.finding.finalized = max(0, max(patient.head, _head(case)) - header.number)


async def _states(case: Case, addresses: Sequence[str]) -> None:
    address = addresses[0] if addresses else NOBODY
    case.finding.oldest_state = await probe.oldest_state(case.patient, _head(case), address)


async def _log_range(case: Case, addresses: Sequence[str]) -> None:
    address = addresses[0] if addresses else NOBODY
    until = case.patient.rate.now() + min(_LOG_RANGE_S, case.left_s / 2)
    found = await probe.log_range(case.patient, _head(case), address, until)
    case.finding.log_range = found.width
    case.finding.log_range_said = found.said
    case.finding.log_range_slow = found.slow


async def _newest_logs(case: Case, addresses: Sequence[str]) -> None:
    """Read some, and look whether they carry times, show in blooms, and are there every time."""
    finding, widest = case.finding, case.finding.log_range
    if not widest:
        return
    recent = await probe.recent_logs(case.patient, _head(case), addresses, widest)
    finding.most_logs, finding.most_logs_said = recent.most, recent.said
    if recent.logs:
        finding.block_time = all(log.block_time is not None for log in recent.logs)
        await _blooms(case, recent.logs)
        await case.note("logs by block hash", _blanks(case, recent.logs[0]))


async def _blooms(case: Case, logs: Sequence[LogRecord]) -> None:
    """Compare logs with the blooms of their blocks."""
    by_block = {log.block_hash: log for log in logs}
    told = []
    for log in list(by_block.values())[:_BLOOMS]:
        header = await case.patient.header(log.block_number)
        if header is not None and header.hash == log.block_hash:
            told.append(told_by_bloom(header.bloom, log))
    if told:
        case.finding.blooms = all(told)


async def _blanks(case: Case, known: LogRecord) -> None:
    case.finding.blanks = await probe.blanks(case.patient, known)


async def _batches(case: Case, _: Sequence[str]) -> None:
    case.finding.batch = await case.patient.batch_size()


async def _rate(case: Case, _: Sequence[str]) -> None:
    found = await probe.burst(case.patient, _head(case))
    case.finding.rate = round(found.per_second, 1)
    case.finding.rate_paced, case.finding.rate_said = found.paced, found.said


def _head(case: Case) -> int:
    return case.finding.head or 0
