"""Find the block from which on a chain is worth reading: where the first contract appeared."""

import logging
from typing import Final

from appliance.following.reader import Asked
from appliance.rpc.endpoint import Endpoint
from appliance.rpc.errors import Missing, RangeTooWide, Rejected, TooManyResults
from appliance.rpc.records import Header, LogRecord

log = logging.getLogger(__name__)
_WEEK_S: Final = 7 * 86_400
_SAMPLE: Final = 1_000
_TRIES: Final = 40
_LOOKS: Final = 9
"""Empty answers in a row that are believed: everything before the first log is never read."""


async def first_block(endpoint: Endpoint, asked: Asked, head: Header, chain: str) -> int:
    """Return the block to begin with: of the oldest contract, else of the oldest log found.

    An archive node tells by halves in which block a contract's code appeared. Without the old
    states the node's logs tell; where it refuses to search them all, the last seven days must do.

    Raises:
        RpcError: the endpoint fails.
    """
    try:
        found = [await _creation(endpoint, address, head.number) for address in asked.addresses]
        return min(found)
    except (Missing, Rejected):
        number = await _first_log(endpoint, asked, head.number)
    if number is not None:
        log.info("%s: the node keeps no old states: begins with its first log", chain)
        return number
    number = await _days_ago(endpoint, head)
    log.warning(
        "%s: the node keeps no old states and does not search all logs: begins seven days ago, "
        "with block %d; set START_BLOCK to begin elsewhere",
        chain,
        number,
    )
    return number


async def _creation(endpoint: Endpoint, address: str, head: int) -> int:
    """Return the block in which the contract's code appeared; the head if there is none yet."""
    if not _is_code(await endpoint.code(address, head)):
        return head
    low, high = -1, head  # no code at low, code at high
    while high - low > 1:
        middle = (low + high) // 2
        if _is_code(await endpoint.code(address, middle)):
            high = middle
        else:
            low = middle
    return high


def _is_code(text: str) -> bool:
    return len(text) > 2


async def _first_log(endpoint: Endpoint, asked: Asked, head: int) -> int | None:
    """Return the block of the first log, None where the node refuses to search for it."""
    last = head
    for _ in range(_TRIES):
        try:
            logs = await _logs(endpoint, asked, last)
        except TooManyResults as error:
            last = error.span[1] if error.span and error.span[0] == 0 else last // 2
        except (RangeTooWide, Rejected, Missing):
            return None
        else:
            return min((r.block_number for r in logs), default=last if last < head else None)
    return None


async def _logs(endpoint: Endpoint, asked: Asked, last: int) -> list[LogRecord]:
    for _ in range(_LOOKS):
        if logs := await endpoint.logs(0, last, asked.addresses, asked.topics):
            return logs
    return []


async def _days_ago(endpoint: Endpoint, head: Header) -> int:
    """Return the number of a block about seven days old, by how long blocks take now."""
    number = max(0, head.number - _SAMPLE)
    older = await endpoint.header(number)
    if older is None or number == head.number:
        return number
    seconds = max(1, head.time - older.time) / (head.number - number)
    return max(0, head.number - int(_WEEK_S / seconds))
