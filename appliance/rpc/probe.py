"""Find out what one endpoint can do, with few questions and without provoking a ban.

In: an endpoint that is open. Out: facts. Each probe asks a bounded number of times, gives up what
takes long, and never goes on after "too many requests" unless the wait is short. What a node says
of its limits is tried before it is believed. Errors are those of the endpoint, which show no URL.
"""

import math
import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import msgspec

from appliance.metrics import Metrics
from appliance.rpc.endpoint import Endpoint
from appliance.rpc.errors import RangeTooWide, RateLimited, RpcError, TooManyResults
from appliance.rpc.rate import Waiting
from appliance.rpc.records import LogRecord
from appliance.rpc.together import together
from appliance.rpc.url import hide, keys
from appliance.rpc.wordings import shown

T = TypeVar("T")
NOBODY: Final = "0x000000000000000000000000000000000000dead"
_NEVER: Final = "0x" + "deadc0de" * 8
"""A topic that no event has: what is asked is the range, not the logs."""
_LONGEST_HOLD_S: Final = 5.0
_PATIENCE: Final = 3
_HALVES: Final = 14
_NEAR_ENOUGH: Final = 1.25
_FIRST_WIDTH: Final = 100
_WIDTHS: Final = 12
_SLOW_S: Final = 3.0
"""An answer that takes longer is not followed by a larger question."""
_PAGES: Final = 8
_LATENCIES_S: Final = 1.0
_BATCH_S: Final = 1.0
"""A batch is worth this much time at most, at the rate at which the endpoint is asked."""
_BURST: Final = 40
_BURST_S: Final = 3.0


class Patient(Endpoint):
    """An endpoint that is examined."""

    def __init__(
        self,
        url: str,
        name: str,
        metrics: Metrics,
        timeout_s: float,
        waiting: Waiting | None = None,
    ) -> None:
        """Keep what must not be shown besides."""
        super().__init__(url, name, metrics, timeout_s, waiting)
        self._secret = keys(url)
        self._sleep = (waiting or Waiting()).sleep

    def words(self, error: RpcError) -> str:
        """Return what went wrong, without the endpoint's name before it."""
        return str(error).removeprefix(f"{self.name}: ")

    @property
    def slowed(self) -> bool:
        """Return whether it has asked to be asked less often."""
        return self.rate.per_second < self._line.limits.start

    async def ready(self) -> None:
        """Wait until a question would go out at once."""
        while (wait_s := self.rate.wait_s) > 0:
            await self._sleep(wait_s)

    async def client(self) -> str:
        """Return what the node says it is, fit to be shown."""
        found = await self.call("web3_clientVersion", [], str)
        return hide(shown(found, 0), self._secret)

    async def batch_size(self) -> int:
        """Return how many calls of one batch it answers, at most as many as are ever sent.

        1: batches are refused. Their calls count one by one where requests are counted, so that
        an endpoint that is asked slowly gets a small one.
        """
        size = max(2, min(self._line.limits.batch, int(self.rate.per_second * _BATCH_S)))
        while size > 1:
            try:
                await self._line.ask_many("eth_chainId", [[]] * size, msgspec.json.decode)
            except RateLimited:
                raise
            except RpcError:
                size //= 2
            else:
                return size
        return 1


@dataclass(slots=True)
class LogRange:
    """The widest range of blocks whose logs were given; 0: none.

    `said` is what the node said of a wider one, empty where it took all blocks; `slow` means that
    time, not the node, ended the search.
    """

    width: int = 0
    said: str = ""
    slow: bool = False


@dataclass(slots=True)
class Recent:
    """Logs of the newest blocks; `most` is the largest number in one answer.

    `said` is what the node said when there were more, or none may be asked for.
    """

    logs: list[LogRecord] = field(default_factory=list)
    most: int = 0
    said: str = ""


@dataclass(slots=True)
class Burst:
    """How fast calls were answered; `paced` where nothing but our own care was the limit.

    `said` is what the node said when it was too fast.
    """

    per_second: float = 0.0
    paced: bool = False
    said: str = ""


async def patiently(ask: Callable[[], Awaitable[T]], endpoint: Endpoint) -> T:
    """Return what `ask` returns; short waits that the endpoint asks for are made, a few."""
    for _ in range(_PATIENCE):
        try:
            return await ask()
        except RateLimited:
            if endpoint.rate.held_s > _LONGEST_HOLD_S:
                raise
    return await ask()


async def latency_s(endpoint: Patient, times: int = 5) -> float:
    """Return the median time of a small question, of one where that takes long."""
    taken: list[float] = []
    while len(taken) < times and sum(taken) < _LATENCIES_S:
        await endpoint.ready()
        began = endpoint.rate.now()
        await endpoint.call("eth_blockNumber", [], str)
        taken.append(endpoint.rate.now() - began)
    return statistics.median(taken)


# -- old states --


async def oldest_state(endpoint: Endpoint, head: int, address: str = NOBODY) -> int:
    """Return about the oldest block whose state the endpoint has; 1 or 0 for an archive.

    Raises:
        RpcError: it does not even tell the newest state.
    """
    await patiently(lambda: endpoint.code(address), endpoint)
    first = min(1, head)
    if await has_state(endpoint, first, address):
        return first
    near, far = 1, head - first  # how deep below the head there is a state, and there is none
    for _ in range(_HALVES):
        if far <= max(near + 1, near * _NEAR_ENOUGH):
            break
        middle = math.isqrt(near * far)
        middle = middle if near < middle < far else (near + far) // 2
        if await has_state(endpoint, head - middle, address):
            near = middle
        else:
            far = middle
    return head - near


async def has_state(endpoint: Endpoint, number: int, address: str = NOBODY) -> bool:
    """Return whether the endpoint tells the state as of block `number`.

    Raises:
        RateLimited: it does not say.
    """
    try:
        await patiently(lambda: endpoint.code(address, number), endpoint)
    except RateLimited:
        raise
    except RpcError:
        return False
    return True


# -- logs --


async def log_range(
    endpoint: Patient, head: int, address: str = NOBODY, until: float = math.inf
) -> LogRange:
    """Return how wide a range of blocks may be; `until` is a time of the endpoint's clock.

    Raises:
        RateLimited: not a single range was answered.
    """
    found, refused, advised = LogRange(), head + 2, 0
    width: int | None = min(_FIRST_WIDTH, head + 1)
    for _ in range(_WIDTHS):
        if width is None:
            break
        began = endpoint.rate.now()
        try:
            await _no_logs(endpoint, head, width, address)
        except RateLimited as error:
            if not found.width:
                raise
            found.said, found.slow = endpoint.words(error), True
            break
        except RpcError as error:
            refused, found.said = width, endpoint.words(error)
            advised = getattr(error, "width", None) or advised
        else:
            found.width = width
        now = endpoint.rate.now()
        if now > until or (found.width and now - began > _SLOW_S):
            found.slow = refused - found.width > 1 and found.width != advised
            break
        width = _next_width(found.width, refused, advised, head + 1)
    return found


async def _no_logs(endpoint: Endpoint, head: int, width: int, address: str) -> None:
    first = head - width + 1
    await patiently(lambda: endpoint.logs(first, head, [address], [_NEVER]), endpoint)


def _next_width(taken: int, refused: int, advised: int, blocks: int) -> int | None:
    """Return the width to try next, None when it is known well enough.

    Up by tens; after a refusal what the node named, else 5 or 2 times what it took.
    """
    if taken >= blocks or taken == refused - 1 or (taken and taken == advised):
        return None
    if taken < advised < refused:
        return advised
    if not taken:
        return refused // 10 or None
    if refused > blocks:
        return min(taken * 10, blocks)
    fitting = (taken * step for step in (5, 2) if taken * step < refused)
    return next(fitting, None) if refused > taken * 2 else None


async def recent_logs(
    endpoint: Patient, head: int, addresses: Sequence[str], widest: int, enough: int = 1_000
) -> Recent:
    """Return logs of the newest blocks, of any contract where the endpoint allows that.

    The range grows until there are `enough`, or it is `widest` blocks wide. Where logs of any
    contract are refused, those of `addresses` are asked for.
    """
    found, width, of = Recent(), 1, list[str]()
    began = endpoint.rate.now()
    for _ in range(_PAGES):
        first = head - min(width, widest, head + 1) + 1
        try:
            logs = await any_logs(endpoint, first, head, of)
        except RateLimited:
            break
        except RpcError as error:
            found.said = endpoint.words(error)
            if of or not addresses or isinstance(error, RangeTooWide | TooManyResults):
                break
            of = list(addresses)
            continue
        found.most = max(found.most, len(logs))
        found.logs = [log for log in logs if not log.removed] or found.logs
        slow = endpoint.rate.now() - began > _SLOW_S
        if len(logs) >= enough or width >= min(widest, head + 1) or slow:
            break
        width *= 4
    return found


async def blanks(endpoint: Endpoint, known: LogRecord, times: int = 4) -> int:
    """Return how many of `times` answers lack all logs of a block and contract that has some."""
    block_hash, address = known.block_hash, known.address
    found = 0
    for _ in range(times):
        logs = await patiently(lambda: endpoint.block_logs(block_hash, [address], []), endpoint)
        found += not logs
    return found


async def any_logs(
    endpoint: Endpoint,
    first: int,
    last: int,
    addresses: Sequence[str],
    topics: Sequence[str] = (),
) -> list[LogRecord]:
    """Return the logs of blocks `first` to `last`, after short waits where need be."""
    return await patiently(lambda: endpoint.logs(first, last, addresses, topics), endpoint)


# -- speed --


async def burst(endpoint: Patient, head: int, calls: int = _BURST) -> Burst:
    """Return how fast small questions are answered; ends at the first refusal.

    An endpoint that has asked for fewer already is asked a few, at the rate that it got since.
    """
    await endpoint.ready()
    began, limit = endpoint.rate.now(), endpoint.rate.per_second
    answered, said = 0, "it has asked for fewer" if endpoint.slowed else ""
    calls = max(2, min(calls, int(limit * _BURST_S)))

    async def one(number: int) -> None:
        nonlocal answered
        await endpoint.header(number)
        answered += 1

    try:
        await together([one(max(0, head - nth)) for nth in range(calls)])
    except RateLimited as error:
        said = endpoint.words(error)
    per_second = answered / max(endpoint.rate.now() - began, 1e-6)
    return Burst(per_second, not said and per_second >= limit * 0.8, said)
