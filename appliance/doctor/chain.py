"""One chain under examination: all its endpoints at once, then what they say of each other.

In: the chain's terms. Out: ChainFindings. About half a minute at most: what finds no time by then
is left out and named.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Final

from appliance.doctor.advice import advise, best_first
from appliance.doctor.examine import PROBES, Case, compare, examine, first_look
from appliance.doctor.finding import ChainFindings, Finding, Sample
from appliance.doctor.sample import taken
from appliance.doctor.verdict import judge
from appliance.following.brief import clock_warning
from appliance.following.chains import ChainTerms, default_confirmations
from appliance.following.follower import DEVELOPMENT_CHAINS
from appliance.metrics import Metrics
from appliance.rpc.probe import Patient
from appliance.rpc.rate import Waiting
from appliance.rpc.url import names

_REQUEST_S: Final = 8.0
_EXAMINATION_S: Final = 20.0
_SAMPLE_S: Final = 10.0
Tell = Callable[[float], None]


async def findings(
    terms: ChainTerms,
    timeout_s: float,
    tell: Tell,
    *,
    in_file: bool = False,
    now: Callable[[], float] = time.time,
    waiting: Waiting | None = None,
) -> ChainFindings:
    """Examine the endpoints of `terms`; `tell` hears how much of it is done, from 0 to 1."""
    metrics, timeout_s = Metrics(), min(timeout_s, _REQUEST_S)
    patients = [
        Patient(url, name, metrics, timeout_s, waiting)
        for url, name in zip(terms.rpc_urls, names(terms.rpc_urls), strict=True)
    ]
    chain = ChainFindings(name=terms.name, endpoints=[Finding(name=p.name) for p in patients])
    async with AsyncExitStack() as stack:
        for patient in patients:
            stack.push_async_callback(patient.close)
            await patient.open()
        cases = [
            Case(patient, finding, patient.rate.now() + _EXAMINATION_S)
            for patient, finding in zip(patients, chain.endpoints, strict=True)
        ]
        await _examined(chain, cases, terms, tell, now)
        chain.advice = advise(chain, terms, in_file=in_file)
        if terms.contracts and chain.usable:
            chain.sample = await _sampled(chain, cases, terms)
    tell(1.0)
    return chain


async def _examined(
    chain: ChainFindings,
    cases: Sequence[Case],
    terms: ChainTerms,
    tell: Tell,
    now: Callable[[], float],
) -> None:
    """Fill in the endpoints' findings and verdicts, and what is wrong with all of them."""
    await asyncio.gather(*(first_look(case, now) for case in cases))
    chain.chain_id = _chain_id(chain.endpoints, terms)
    here = [c for c in cases if c.finding.answers and c.finding.chain_id == chain.chain_id]
    if chain.chain_id is not None and here:
        _measure_lag([case.finding for case in here])
        confirmations = terms.confirmations
        if confirmations is None:
            confirmations = default_confirmations(chain.chain_id)
        number = await compare(here, confirmations)
        _warn(chain, [case.finding for case in here], number, now())
    done, whole = 0, PROBES * len(here) + 2

    def step() -> None:
        nonlocal done
        done += 1
        tell(done / whole)

    step()
    addresses = [contract.address for contract in terms.contracts]
    await asyncio.gather(*(examine(case, addresses, step) for case in here))
    for found in chain.endpoints:
        judge(found, chain.chain_id)


def _chain_id(endpoints: Sequence[Finding], terms: ChainTerms) -> int | None:
    """Return the chain that is meant: the operator's, else that of most endpoints."""
    if terms.chain_id is not None:
        return terms.chain_id
    most = Counter(e.chain_id for e in endpoints if e.answers).most_common(1)
    return most[0][0] if most else None


def _measure_lag(here: Sequence[Finding]) -> None:
    newest, time_ = max((found.head or 0, found.head_time or 0) for found in here)
    for found in here:
        found.behind = newest - (found.head or 0)
        found.behind_s = max(0, time_ - (found.head_time or 0)) if found.behind else 0


def _warn(chain: ChainFindings, here: Sequence[Finding], number: int | None, now: float) -> None:
    ids = {found.chain_id for found in chain.endpoints if found.answers}
    if len(ids) > 1:
        chain.warnings.append(f"the endpoints are on different chains: {sorted(ids, key=str)}")
    if any(found.agrees is False for found in here):
        chain.warnings.append(f"the endpoints differ on block {number}")
    if chain.chain_id not in DEVELOPMENT_CHAINS:
        clock = clock_warning(max(found.head_time or 0 for found in here), now)
        chain.warnings += [clock] if clock else []


async def _sampled(chain: ChainFindings, cases: Sequence[Case], terms: ChainTerms) -> Sample:
    """Return the sample of the best endpoint that may be asked now."""
    ranked = [found.name for found in best_first(chain.endpoints) if found.verdict != "unusable"]
    by_name = {case.finding.name: case for case in cases}
    best = min((by_name[name] for name in ranked), key=lambda c: c.patient.rate.held_s)
    return await taken(best, terms, _SAMPLE_S)
