"""A brief look at the endpoints of a chain when following begins: warnings, and nothing else.

In: the endpoints, open, and what is to be followed. Out: one sentence for each thing that the
operator should know; none when all is well. At most six questions go to each endpoint, all
endpoints are asked at once, and none is waited for long. `appliance doctor` looks closer.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from appliance.following.bloom import mask
from appliance.following.follower import DEVELOPMENT_CHAINS
from appliance.following.progress import spoken
from appliance.following.terms import ChainTerms
from appliance.rpc.endpoint import Endpoint
from appliance.rpc.errors import RangeTooWide, RateLimited, Rejected, RpcError, TooManyResults
from appliance.rpc.probe import NOBODY
from appliance.rpc.records import Header, LogRecord

CLOCK_S: Final = 30
STALE_S: Final = 120
BEHIND_S: Final = 60
_TIME_S: Final = 10.0
_BLOCKS: Final = 100
_MOST_ADDRESSES: Final = 50
_OLD: Final = 1


@dataclass(slots=True)
class _Seen:
    """What one endpoint said; `keeps_states` None: it was not asked, or did not say."""

    endpoint: Endpoint
    chain_id: int | None = None
    head: Header | None = None
    keeps_states: bool | None = None
    at_height: Header | None = None
    warnings: list[str] = field(default_factory=list)


async def brief(
    endpoints: Sequence[Endpoint],
    terms: ChainTerms,
    confirmations: int,
    *,
    begun: bool = False,
    now: Callable[[], float] = time.time,
) -> list[str]:
    """Return what is wrong with the endpoints, in whole sentences that name them.

    Whatever fails becomes a warning; nothing is raised. `begun`: where to go on is stored, so that
    old states are not needed. `now` is unix time.
    """
    oldest = terms.start_block is None and not begun
    seen = await asyncio.gather(*(_looked_at(e, terms, oldest) for e in endpoints))
    chain_id = _chain_id(seen, terms)
    here = [one for one in seen if one.chain_id == chain_id and one.head is not None]
    elsewhere = [one for one in seen if one.chain_id not in {chain_id, None}]
    warnings = [
        f"{one.endpoint.name}: it is on chain {one.chain_id}, must be on {chain_id}: remove it"
        for one in elsewhere
    ]
    if here:
        await _compare(here, confirmations)
        warnings += _forks(here) + _without_states(here)
    if here and chain_id not in DEVELOPMENT_CHAINS:
        clock = clock_warning(max(_times(here)), now())
        warnings += [*_behind(here), *([clock] if clock else [])]
    return [*warnings, *(warning for one in seen for warning in one.warnings)]


def told_by_bloom(bloom: bytes, log: LogRecord) -> bool:
    """Return whether a bloom has the bits of a log of its block, as it must."""
    bits = int.from_bytes(bloom, "big")
    return all(mask(text) & bits == mask(text) for text in (log.address, *log.topics))


def clock_warning(head_time: int, now: float) -> str:
    """Return what the newest block's time says of clock or nodes, empty when all is well."""
    age = int(now - head_time)
    if age < -CLOCK_S:
        return (
            f"the newest block is of {spoken(-age)} after this machine's time: its clock is behind"
        )
    if age > STALE_S:
        return (
            f"the newest block is {spoken(age)} old: the nodes are out of sync, the chain stands "
            "still, or this machine's clock is ahead"
        )
    return ""


async def _looked_at(endpoint: Endpoint, terms: ChainTerms, oldest: bool) -> _Seen:
    seen = _Seen(endpoint)
    await _in_time(seen, _look(seen, terms, oldest))
    return seen


async def _in_time(seen: _Seen, work: Awaitable[None]) -> None:
    """Do some of the looking; a failure becomes a warning."""
    try:
        async with asyncio.timeout(_TIME_S):
            await work
    except TimeoutError:
        seen.warnings.append(f"{seen.endpoint.name}: it does not answer in time")
    except RpcError as error:
        seen.warnings.append(str(error))


async def _look(seen: _Seen, terms: ChainTerms, oldest: bool) -> None:
    endpoint = seen.endpoint
    addresses = [contract.address for contract in terms.contracts][:_MOST_ADDRESSES]
    seen.chain_id = await endpoint.chain_id()
    seen.head = await endpoint.header("latest")
    if seen.head is not None:
        await _look_at_logs(seen, seen.head.number, addresses)
    if oldest:
        seen.keeps_states = await _keeps_states(endpoint, (addresses or [NOBODY])[0])


async def _look_at_logs(seen: _Seen, last: int, addresses: Sequence[str]) -> None:
    """Read a few blocks' logs, and the bloom of a block that has some."""
    endpoint = seen.endpoint
    try:
        logs = await endpoint.logs(max(0, last - _BLOCKS + 1), last, addresses, [])
    except (RangeTooWide, TooManyResults):
        return  # the reader finds out how many blocks it may ask for
    except Rejected as error:
        seen.warnings.append(f"{error}: it gives no logs, without which nothing can be followed")
        return
    if not logs:
        return
    header = await endpoint.header(logs[0].block_number)
    if header and header.hash == logs[0].block_hash and not told_by_bloom(header.bloom, logs[0]):
        seen.warnings.append(
            f"{endpoint.name}: its blooms do not tell of logs that are there, so that missing ones "
            "go unnoticed"
        )


async def _keeps_states(endpoint: Endpoint, address: str) -> bool | None:
    try:
        await endpoint.code(address, _OLD)
    except RateLimited:
        return None
    except RpcError:
        return False
    return True


def _chain_id(seen: Sequence[_Seen], terms: ChainTerms) -> int | None:
    """Return the chain that is meant: the operator's, else that of most endpoints."""
    if terms.chain_id is not None:
        return terms.chain_id
    most = Counter(one.chain_id for one in seen if one.chain_id is not None).most_common(1)
    return most[0][0] if most else None


async def _compare(seen: Sequence[_Seen], confirmations: int) -> None:
    """Ask all that are not far behind for one block that should not change any more."""
    newest = max(one.head.number for one in seen if one.head)
    near = [one for one in seen if one.head and newest - one.head.number <= confirmations]
    if len(near) < 2:
        return
    height = max(0, min(one.head.number for one in near if one.head) - confirmations)

    async def ask(one: _Seen) -> None:
        one.at_height = await one.endpoint.header(height)

    await asyncio.gather(*(_in_time(one, ask(one)) for one in near))


def _forks(seen: Sequence[_Seen]) -> list[str]:
    told = {one.endpoint.name: one.at_height for one in seen if one.at_height is not None}
    if len({header.hash for header in told.values()}) < 2:
        return []
    number = next(iter(told.values())).number
    said = ", ".join(f"{name} has {header.hash[:10]}…" for name, header in told.items())
    return [f"the endpoints differ on block {number}: {said}: one of them is on a fork"]


def _without_states(seen: Sequence[_Seen]) -> list[str]:
    said = [one.keeps_states for one in seen if one.keeps_states is not None]
    if not said or any(said):
        return []
    warning = (
        "no endpoint keeps old states, by which the first block of the contracts is found: set "
        "START_BLOCK (start_block in MARKETS_FILE) to the block in which they were made"
    )
    return [warning]


def _times(seen: Sequence[_Seen]) -> list[int]:
    return [one.head.time for one in seen if one.head is not None]


def _behind(seen: Sequence[_Seen]) -> list[str]:
    newest = max(_times(seen))
    return [
        f"{one.endpoint.name}: it is {spoken(newest - one.head.time)} behind the others"
        for one in seen
        if one.head and newest - one.head.time > BEHIND_S
    ]
