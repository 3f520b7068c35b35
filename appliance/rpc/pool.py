"""The endpoints of one chain, used as if they were one that does not fail.

A piece of work goes to the best endpoint; when that one fails, the whole piece goes to the next.
Work never goes to an endpoint on another chain, nor to one that lacks the block it is about: such
a node would answer "no logs", and that would be believed. When all have failed, they are tried
again after a pause, a few times; then the error tells what each one said.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final, TypeVar

from appliance.metrics import Metrics
from appliance.rpc.asked import Questions
from appliance.rpc.endpoint import Endpoint
from appliance.rpc.errors import (
    Nonsense,
    RangeTooWide,
    RateLimited,
    Rejected,
    RpcError,
    TooManyResults,
    Unavailable,
)
from appliance.rpc.member import EndpointState, Member
from appliance.rpc.rate import Waiting
from appliance.rpc.records import Header
from appliance.rpc.url import names

T = TypeVar("T")
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 10.0
_PATIENCE_S: Final = 2.0
"""How long the others may take longer than the first to answer a question to all."""


class Pool:
    """The endpoints of one chain, in the order given, which decides where nothing else does."""

    def __init__(
        self,
        urls: Sequence[str],
        *,
        metrics: Metrics,
        timeout_s: float = 30.0,
        retries: int = 3,
        waiting: Waiting | None = None,
    ) -> None:
        """Raise ConfigError for a URL that is none. `retries` rounds follow the first."""
        self._waiting = waiting or Waiting()
        self._retries = retries
        self._members = [
            Member(Endpoint(url, name, metrics, timeout_s, self._waiting), self._waiting.clock)
            for url, name in zip(urls, names(urls), strict=True)
        ]
        self._chain_id: int | None = None
        self._first_look = asyncio.Lock()
        self._head = 0
        self._heads: Questions[Member, Header] = Questions(_PATIENCE_S)
        self._chains: Questions[Member, int] = Questions(_PATIENCE_S)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return all endpoints, whatever their state."""
        return tuple(member.endpoint for member in self._members)

    def states(self) -> list[EndpointState]:
        """Return the state of each endpoint."""
        return [member.state(self._head) for member in self._members]

    async def open(self) -> None:
        """Make the sessions; nothing is asked yet."""
        for endpoint in self.endpoints:
            await endpoint.open()

    async def close(self) -> None:
        """Stop what is under way and close the connections. Calling it again does nothing."""
        async with AsyncExitStack() as stack:
            for endpoint in self.endpoints:
                stack.push_async_callback(endpoint.close)
            stack.push_async_callback(self._chains.close)
            stack.push_async_callback(self._heads.close)

    async def run(
        self,
        work: Callable[[Endpoint], Awaitable[T]],
        *,
        height: int = 0,
        avoid: Collection[Endpoint] = (),
    ) -> T:
        """Return what `work` returns for the best endpoint that has block `height`.

        Those in `avoid` are asked only when no other is left. RangeTooWide, TooManyResults and
        Rejected are raised at once; the last error of the others, when all rounds are over.
        """
        chain_id = await self.chain_id()

        async def done_by(member: Member) -> T:
            await member.on_chain(chain_id)
            await member.at_height(height)
            return await work(member.endpoint)

        return await self._rounds(lambda: self._round(done_by, avoid))

    async def head(self) -> Header:
        """Return the newest header that at least half of the endpoints have reached.

        All that are well are asked at once, and the slow ones are not waited for. Where they
        differ on the block of this number, that of most is returned.
        """
        chain_id = await self.chain_id()

        async def newest(member: Member) -> Header | None:
            await member.on_chain(chain_id)
            return await member.endpoint.header("latest")

        found = await self._rounds(lambda: self._newest(newest))
        self._head = found.number
        return found

    async def chain_id(self) -> int:
        """Return the chain that most endpoints are on, the first one's in a tie.

        An endpoint on another chain is not used any more.
        """
        async with self._first_look:
            if self._chain_id is None:
                self._chain_id = await self._rounds(self._most_common_chain)
            return self._chain_id

    # -- rounds --

    async def _rounds(self, attempt: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what `attempt` returns, tried again after pauses while it may help."""
        for nth in range(self._retries):
            try:
                return await attempt()
            except (RangeTooWide, TooManyResults, Rejected):
                raise
            except RpcError:
                if all(member.out for member in self._members):
                    raise
                await self._waiting.sleep(self._pause_s(nth))
        return await attempt()

    def _pause_s(self, nth: int) -> float:
        """Return the pause before round `nth`: longer each time, and until one may be asked."""
        longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0**nth)
        held = min(member.endpoint.rate.held_s for member in self._members if not member.out)
        return max(held, longest * (0.5 + self._waiting.jitter()))

    async def _round(
        self, done_by: Callable[[Member], Awaitable[T]], avoid: Collection[Endpoint]
    ) -> T:
        """Ask one endpoint after the other until one has done it."""
        tried: dict[Member, RpcError] = {}
        while member := self._best(tried, avoid):
            try:
                found = await done_by(member)
            except (RangeTooWide, TooManyResults, Rejected):
                member.well()
                raise
            except RpcError as error:
                member.failed(error)
                tried[member] = error
            else:
                member.well()
                return found
        raise self._together(tried)

    def _best(self, tried: Collection[Member], avoid: Collection[Endpoint]) -> Member | None:
        left = [member for member in self._members if member.usable and member not in tried]
        return min(left, key=lambda m: (m.endpoint in avoid, m.rests, m.cost_s), default=None)

    def _together(self, tried: dict[Member, RpcError]) -> RpcError:
        """Return the last error, with the words of all, and of those that are out."""
        if not tried:
            return self._nobody()
        error = list(tried.values())[-1]
        out = [member.out for member in self._members if member.out and member not in tried]
        error.args = ("; ".join([*map(str, tried.values()), *out]),)
        return error

    def _nobody(self) -> RpcError:
        """Return why nobody could be asked, or why nobody who was asked has answered."""
        reasons = "; ".join(member.out or member.reason for member in self._members)
        if all(member.out for member in self._members):
            return Nonsense(reasons)
        held = [member.endpoint.rate.held_s for member in self._members if not member.out]
        return RateLimited(reasons, min(held)) if all(held) else Unavailable(reasons)

    # -- questions to all --

    async def _newest(self, newest: Callable[[Member], Awaitable[Header | None]]) -> Header:
        usable = [member for member in self._members if member.usable]
        rested = [member for member in usable if not member.rests]
        found = await self._heads.ask(rested or usable, lambda m: _noted(m, newest))
        if not found:
            raise self._nobody()
        return agreed(list(found.values()))

    async def _most_common_chain(self) -> int:
        usable = [member for member in self._members if member.usable]
        found = await self._chains.ask(
            usable, lambda m: _noted(m, lambda member: member.endpoint.chain_id())
        )
        if not found:
            raise self._nobody()
        if len(found) * 2 < len(self._members):  # the few that answer may be those that are wrong
            raise Unavailable(
                f"{len(found)} of {len(self._members)} endpoints say which chain they are on, "
                f"and half must: {self._nobody()}"
            )
        most = Counter(found.values()).most_common(1)[0][0]  # in a tie the first counted
        for member, chain_id in found.items():
            member.chain_id = chain_id
            if chain_id != most:
                member.put_out(most)
        return most


async def _noted(member: Member, question: Callable[[Member], Awaitable[T]]) -> T | None:
    """Return the answer, None after an error, and note either with the member."""
    try:
        found = await question(member)
    except RpcError as error:
        member.failed(error)
        return None
    member.well()
    return found


def agreed(headers: Sequence[Header]) -> Header:
    """Return the newest header whose number at least half have reached, of most at that number."""
    half = (len(headers) + 1) // 2
    number = sorted((header.number for header in headers), reverse=True)[half - 1]
    there = [header for header in headers if header.number == number]
    votes = Counter(header.hash for header in there)
    return max(there, key=lambda header: votes[header.hash])
