"""A chain as a source: a task that follows it for as long as the server runs, and says how it does.

Whatever fails is told by `state`, and tried again from what is stored; nothing else is remembered.
"""

import asyncio
import copy
import logging
import time
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Final

from appliance.chain.counts import Counts
from appliance.errors import ApplianceError, ConfigError
from appliance.following.brief import brief
from appliance.following.chains import ChainTerms, default_confirmations
from appliance.following.follower import DEVELOPMENT_CHAINS, Follower, Step
from appliance.following.intake import Intake
from appliance.following.progress import Progress, spoken
from appliance.following.tokens import Tokens
from appliance.ingest import Ingest
from appliance.metrics import Metrics
from appliance.rpc.pool import Pool
from appliance.rpc.records import Header
from appliance.rpc.wake import wakes
from appliance.settings import Settings
from appliance.status import PartState
from appliance.store.store import Store

log = logging.getLogger(__name__)
Processed = Callable[[int, int, int, int | None], None]
_SOONEST_S: Final = 0.25
_LATEST_S: Final = 0.5
_LATEST_AWAKE_S: Final = 4.0
"""How long to wait for the next block when a WebSocket tells of it anyway."""
_RETRY_S: Final = (1.0, 30.0)
_LAG_S: Final = 60.0
_LAG_BLOCKS: Final = 4
_STALL_S: Final = 60.0
_STALL_BLOCKS: Final = 20
_OUTCOMES: Final = ("decoded", "ignored", "foreign", "malformed")


@dataclass(frozen=True, slots=True)
class Around:
    """What is around every chain.

    `processed` is told of every block: chain id, its time, the newest final block, its time.
    """

    settings: Settings
    store: Store
    ingest: Ingest
    metrics: Metrics
    processed: Processed
    monotonic: Callable[[], float] = time.monotonic
    followed: dict[int, str] = field(default_factory=dict)
    """The name of the source that follows a chain, by the chain's id."""


class ChainSource:
    """Follows one chain."""

    def __init__(self, terms: ChainTerms, around: Around) -> None:
        """Ask nothing before `start`."""
        settings = around.settings
        self._terms = terms
        self._around = around
        timeout_s = settings.rpc_timeout_ms / 1_000
        self._pool = Pool(
            terms.rpc_urls,
            metrics=around.metrics,
            timeout_s=timeout_s,
            retries=settings.rpc_max_retries,
        )
        self._metrics = around.metrics
        self._monotonic = around.monotonic
        self._tokens: Tokens | None = None
        self._task: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._intake: Intake | None = None
        self._follower: Follower | None = None
        self._confirmations = 0
        self._head: Header | None = None
        self._head_since = 0.0
        self._error: str | None = "connecting"
        self._counted = Counts()
        self._looked = False
        self._progress = Progress(terms.name, around.monotonic)
        self.name = f"chain {terms.name}"

    @property
    def chain_id(self) -> int | None:
        """Return the chain's id, None until a node has said it."""
        return self._intake.chain_id if self._intake is not None else self._terms.chain_id

    def follows(self, address: str) -> bool:
        """Return whether the logs of this contract (lower case) are read from the nodes."""
        if self._intake is not None:
            return self._intake.discovery.holds(address)
        return any(contract.address == address for contract in self._terms.contracts)

    def wake(self) -> None:
        """Look for a new block now."""
        self._woken.set()

    def start(self) -> None:
        """Begin to follow."""
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        """Stop following; what was acknowledged is stored."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    # What happens

    async def _run(self) -> None:
        waker = asyncio.create_task(self._listen(), name=f"{self.name} wake-up")
        wait_s = _RETRY_S[0]
        try:
            await self._pool.open()
            while True:
                began = self._monotonic()
                try:
                    await self._session()
                except ApplianceError as error:
                    self._failed(str(error))
                except Exception as error:
                    log.exception("%s: stopped, and begun again", self.name)
                    self._failed(f"stopped by {error!r}")
                wait_s = _RETRY_S[0] if self._monotonic() - began > _RETRY_S[1] else wait_s * 2
                await asyncio.sleep(min(wait_s, _RETRY_S[1]))
        finally:
            waker.cancel()
            await asyncio.wait([waker])
            self._progress.close()
            await self._pool.close()

    def _failed(self, reason: str) -> None:
        if reason != self._error:
            log.error("%s: %s", self.name, reason)
        self._error = reason

    async def _session(self) -> None:
        """Follow from what is stored until something fails."""
        chain_id = await self._pool.chain_id()
        self.name = f"chain {chain_id}"
        if self._terms.chain_id not in (None, chain_id):
            raise ConfigError(
                f"chain_id of {self._terms.name} must be that of its nodes, which is {chain_id}, "
                f"was {self._terms.chain_id}: correct MARKETS_FILE"
            )
        other = self._around.followed.setdefault(chain_id, self._terms.name)
        if other != self._terms.name:
            raise ConfigError(
                f"chain {self._terms.name} must be another one than {other}, and both have nodes "
                f"of chain {chain_id}: put all its contracts below one [[chain]] of MARKETS_FILE"
            )
        given = self._terms.confirmations
        self._confirmations = default_confirmations(chain_id) if given is None else given
        self._counted = Counts()
        tokens = self._tokens = self._tokens or Tokens(chain_id)
        intake = self._intake = Intake(
            *(chain_id, self._terms, tokens, self._pool, self._around.store, self._around.ingest)
        )
        await intake.load()
        await self._look_briefly(intake)
        follower = self._follower = Follower(
            *(self.name, intake, self._pool, self._confirmations),
            *(self._terms.start_block, self._tell),
        )
        head = await self._see()
        await follower.begin(head)
        while True:
            await follower.follow(head)
            if self._error is not None:
                log.info("%s: followed up to block %d", self.name, head.number)
            self._error = None
            await self._pause()
            head = await self._see()

    async def _look_briefly(self, intake: Intake) -> None:
        """Warn once of what is wrong with the nodes."""
        if self._looked:
            return
        self._looked = True
        begun = intake.trail.tip is not None
        about = (self._pool.endpoints, self._terms, self._confirmations)
        for warning in await brief(*about, begun=begun):
            log.warning("%s: %s", self.name, warning)

    async def _see(self) -> Header:
        """Return the head, and note whether it moved."""
        head = await self._pool.head()
        known, now = self._head, self._monotonic()
        if known is None or head.hash != known.hash:
            self._head, self._head_since = head, now
            self._metrics.chain_head.labels(self.name).set(head.number)
        return head

    async def _pause(self) -> None:
        """Wait until there may be a new block."""
        latest = _LATEST_AWAKE_S if self._terms.ws_url else _LATEST_S
        block_s = self._intake.trail.block_s if self._intake else latest
        wait_s = max(_SOONEST_S, min(latest, block_s / 4))
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._woken.wait()
        self._woken.clear()

    async def _listen(self) -> None:
        """Be woken by new heads, where there is a WebSocket to tell of them."""
        if self._terms.ws_url:
            async with aclosing(wakes(self._terms.ws_url)) as woken:
                async for _ in woken:
                    self._woken.set()

    def _tell(self, step: Step) -> None:
        intake, head = self._intake, self._head
        if intake is None or head is None:
            return
        labels = self.name
        if step.from_block is not None:
            self._metrics.chain_reorgs.labels(labels).inc()
            self._metrics.chain_reorg_depth.labels(labels).observe(step.depth)
        if step.tip is None:
            return
        if self._error not in (None, "connecting"):
            self._error = "connecting"  # it goes on, and says so once it is at the head
        final = head.number - self._confirmations
        block = intake.trail.below(final)
        self._around.processed(intake.chain_id, step.tip.time, final, block.time if block else None)
        self._metrics.chain_block.labels(labels).set(step.tip.number)
        self._metrics.chain_lag.labels(labels).set(max(0, head.time - step.tip.time))
        self._count(intake.counts)
        if head.number - step.tip.number > self._confirmations and self._follower is not None:
            self._progress.update(self._follower.first, step.tip.number, head.number)
        else:
            self._progress.close()

    def _count(self, counts: Counts) -> None:
        """Show what became of the logs since the last time, and name malformed ones once."""
        for outcome in _OUTCOMES:
            number = getattr(counts, outcome) - getattr(self._counted, outcome)
            self._metrics.chain_logs.labels(self.name, outcome).inc(number)
        for example in counts.examples[len(self._counted.examples) :]:
            log.warning("%s: malformed log left out: %s", self.name, example)
        self._counted = copy.deepcopy(counts)

    # How it does

    def state(self) -> PartState:
        """Return syncing (with its progress), live, or failing and why."""
        head, follower = self._head, self._follower
        if head is None or follower is None:
            state = "syncing" if self._error == "connecting" else "failing"
            return PartState(self.name, state, self._error)
        block = follower.next - 1
        behind = max(0, head.number - block)
        numbers = {"head": head.number, "block": block, "behind": behind} | self._more(head)
        if self._error is not None and self._error != "connecting":
            return PartState(self.name, "failing", self._error, None, numbers)
        if self._intake is not None and self._intake.late:
            late = "reads the history of contracts that are new here"
            return PartState(self.name, "syncing", late, None, numbers)
        if follower.first > head.number:
            waits = f"waits for block {follower.first} (START_BLOCK), the head is {head.number}"
            return PartState(self.name, "syncing", waits, None, numbers)
        if self._lags(behind):
            left = self._progress.seconds_left(head.number)
            reason = None if left is None else f"about {spoken(left)} left"
            return PartState(self.name, "syncing", reason, self._progress.done, numbers)
        reason = self._stalled(head)
        return PartState(self.name, "failing" if reason else "live", reason, None, numbers)

    def _more(self, head: Header) -> dict[str, int]:
        """Return which chain it is, up to which block it is final, and when the newest one was."""
        intake = self._intake
        tip = intake.trail.tip if intake is not None else None
        if intake is None or tip is None:
            return {}
        speed = self._progress.blocks_per_second()
        return {
            "chain_id": intake.chain_id,
            "final": max(0, min(tip.number, head.number - self._confirmations)),
            "time": tip.time,
        } | ({} if speed is None else {"blocks_per_second": speed})

    def _lags(self, behind: int) -> bool:
        """Return whether what is shown is older than what the nodes have, by more than a moment."""
        block_s = self._intake.trail.block_s if self._intake else 0.0
        return behind > _LAG_BLOCKS and (behind * block_s > _LAG_S or behind > self._confirmations)

    def _stalled(self, head: Header) -> str | None:
        """Return why what is shown may be old although all that the nodes have is processed."""
        intake = self._intake
        if intake is None or intake.chain_id in DEVELOPMENT_CHAINS:
            return None  # blocks come when the developer wants
        still_s = self._monotonic() - self._head_since
        if still_s > max(_STALL_S, _STALL_BLOCKS * intake.trail.block_s):
            return (
                f"head {head.number} has not moved for {spoken(still_s)}: the nodes are out of "
                "sync, or the chain has halted"
            )
        return None
