"""Verdicts: good, usable or unusable, and why, from what was found out about an endpoint."""

from collections.abc import Iterator
from typing import Final

from appliance.doctor.finding import Finding
from appliance.following.follower import DEVELOPMENT_CHAINS
from appliance.following.progress import spoken

_TOO_FAR_BEHIND_S: Final = 600
_BEHIND_S: Final = 30
_NARROW: Final = 1_000
_SLOW_PER_S: Final = 10.0
_SLOW_MS: Final = 1_000.0
_OFTEN_REFUSED: Final = frozenset({"client version"})


def judge(found: Finding, chain_id: int | None) -> None:
    """Fill in the verdict and its reasons; `chain_id` is the chain that is meant."""
    against = list(_unusable(found, chain_id))
    if against:
        found.verdict, found.reasons = "unusable", against
        return
    found.reasons = list(_drawbacks(found))
    found.verdict = "usable" if found.reasons else "good"


def _unusable(found: Finding, chain_id: int | None) -> Iterator[str]:
    if found.error:
        yield found.error
        return
    if found.chain_id != chain_id:
        yield f"it is on chain {found.chain_id}, must be on {chain_id}"
        return
    if found.behind_s > _TOO_FAR_BEHIND_S and chain_id not in DEVELOPMENT_CHAINS:
        yield f"it is {found.behind:,} blocks ({spoken(found.behind_s)}) behind the others"
    if found.agrees is False:
        yield "a block that should be final is another than theirs: it is on a fork, or they are"
    if found.log_range == 0:
        yield f"it gives no logs: {found.log_range_said or 'no reason given'}"


def _drawbacks(found: Finding) -> Iterator[str]:
    """Yield what is no reason to do without it."""
    if found.behind_s > _BEHIND_S:
        yield f"it is {found.behind:,} blocks ({spoken(found.behind_s)}) behind the others"
    if found.oldest_state is not None and found.oldest_state > 1:
        yield f"it keeps no states before about block {found.oldest_state:,}"
    yield from _about_logs(found)
    yield from _about_speed(found)
    for what, why in found.unknown.items():
        if what not in _OFTEN_REFUSED:
            yield f"{what} not found out: {why}"


def _about_logs(found: Finding) -> Iterator[str]:
    if found.log_range and found.log_range_said and found.log_range < _NARROW:
        yield f"it gives logs of {found.log_range:,} blocks at a time, so that history takes long"
    if found.block_time is False:
        yield "its logs carry no times, so that headers are read, too"
    if found.blooms is False:
        yield "its blooms do not tell of logs that are there, so that missing ones go unnoticed"
    if found.blanks:
        yield "it gave empty answers for a block that has logs: never use it alone"


def _about_speed(found: Finding) -> Iterator[str]:
    if found.batch == 1:
        yield "it refuses batches, so that headers are read one by one"
    if found.rate_said:
        yield f"it answers at most about {found.rate:g} requests/s: {found.rate_said}"
    elif found.rate is not None and found.rate < _SLOW_PER_S:
        yield f"it answers {found.rate:g} requests/s"
    if found.latency_ms is not None and found.latency_ms > _SLOW_MS:
        yield f"it takes {found.latency_ms:,.0f} ms for a small question"
