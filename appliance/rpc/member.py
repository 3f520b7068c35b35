"""One endpoint's standing in the pool: well, resting after failures, or out for good.

An endpoint that failed rests for a second, then two, and so on up to a minute, and is then tried
again; whatever it answers by then, its chain is checked first. One on another chain is out.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from appliance.rpc.endpoint import Endpoint
from appliance.rpc.errors import Missing, Nonsense, RateLimited, RpcError

log = logging.getLogger(__name__)
_LONGEST_REST_S: Final = 60.0
_BEHIND_BLOCKS: Final = 10
State = Literal["unknown", "ok", "behind", "limited", "resting", "out"]


@dataclass(frozen=True, slots=True)
class EndpointState:
    """An endpoint for people and `/health`; `reason` says why it is not ok, "" when it is."""

    name: str
    state: State
    reason: str
    head: int
    latency_s: float
    rate: float


class Member:
    """One endpoint of a pool. `chain_id` is None until checked, `out` the reason for good."""

    def __init__(self, endpoint: Endpoint, clock: Callable[[], float]) -> None:
        """Begin without knowing anything."""
        self.endpoint = endpoint
        self.chain_id: int | None = None
        self.out = ""
        self.reason = ""
        self._clock = clock
        self._failures = 0
        self._rests_until = 0.0

    @property
    def rests(self) -> bool:
        """Return whether it failed lately."""
        return self._failures > 0 and self._clock() < self._rests_until

    @property
    def usable(self) -> bool:
        """Return whether it may be asked at all now: not out, and not told to wait."""
        return not self.out and not self.endpoint.rate.held_s

    @property
    def cost_s(self) -> float:
        """Return about how long a question would take, for choosing between endpoints."""
        rate = self.endpoint.rate
        return rate.wait_s + self.endpoint.latency_s * (1 + rate.load)

    async def on_chain(self, chain_id: int) -> None:
        """Check once, and after each failure, that this is the chain. Raise Nonsense if not."""
        if self.chain_id is None:
            self.chain_id = await self.endpoint.chain_id()
        if self.chain_id != chain_id:
            self.put_out(chain_id)
            raise Nonsense(self.out)

    async def at_height(self, height: int) -> None:
        """Make sure that it has block `height`, and raise Missing if not."""
        if self.endpoint.head < height:
            await self.endpoint.header("latest")
        if (head := self.endpoint.head) < height:
            raise Missing(f"{self.endpoint.name}: is at block {head}, {height} was asked for")

    def put_out(self, chain_id: int) -> None:
        """Use it no more: it is on another chain than `chain_id`."""
        if not self.out:
            self.out = f"{self.endpoint.name}: is on chain {self.chain_id}, not {chain_id}"
            log.error("%s; it is not used", self.out)

    def well(self) -> None:
        """Note that it has answered."""
        if self._failures:
            log.info("%s answers again", self.endpoint.name)
        self._failures = 0
        self.reason = ""

    def failed(self, error: RpcError) -> None:
        """Let it rest, unless it is only slow or only lacks a block."""
        self.reason = str(error)
        if isinstance(error, Missing | RateLimited) or self.rests or self.out:
            return  # requests that were under way at the first failure tell of the same one
        if not self._failures:
            log.warning("%s", error)
        self.chain_id = None
        self._rests_until = self._clock() + min(_LONGEST_REST_S, 2.0**self._failures)
        self._failures = min(self._failures + 1, 6)

    def state(self, head: int) -> EndpointState:
        """Return the state as seen from `head`, the newest block of the pool."""
        endpoint = self.endpoint
        state = self._state(head)
        reason = self.out or self.reason
        if state == "behind":
            reason = f"{endpoint.name}: is {head - endpoint.head} blocks behind"
        shown = "" if state in {"ok", "unknown"} else reason
        return EndpointState(
            endpoint.name,
            state,
            shown,
            endpoint.head,
            endpoint.latency_s,
            endpoint.rate.per_second,
        )

    def _state(self, head: int) -> State:
        if self.out:
            return "out"
        if self._failures:
            return "resting"
        if self.endpoint.rate.held_s:
            return "limited"
        if self.chain_id is None:
            return "unknown"
        return "behind" if head - self.endpoint.head > _BEHIND_BLOCKS else "ok"
