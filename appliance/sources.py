"""Sources: what brings trades on its own, while the server runs.

A source is a task with a state that `/health/ready` shows. The only one of this version is the
demo; it remembers in the store that it was seeding, so that a kill in the middle is repaired by
the next start.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Sequence
from typing import Final

import msgspec
import pyarrow as pa
from tqdm import tqdm

from appliance.chain.demo import Demo, LastTimes
from appliance.chain.demo_market import CHAIN_ID
from appliance.datafeed import Datafeed
from appliance.errors import Conflict
from appliance.ingest import Ingest
from appliance.model import Attached, Commit, Mark, MarketSpec, Receipt
from appliance.status import PartState
from appliance.store import checkpoints
from appliance.store.catalogue import DEMO_EXCHANGE, Catalogue
from appliance.store.store import Store

log = logging.getLogger(__name__)
_KIND: Final = "source"
_KEY: Final = "demo"
_BAR: Final = "demo: 24 hours of history {percentage:3.0f} % |{bar}| {elapsed}"


class Seeding(msgspec.Struct, frozen=True):
    """What is remembered of the demo: when its history ends, and whether it is all stored."""

    seeded_at: int
    done: bool


class DemoSource:
    """Runs the demo until it is cancelled, or until trades arrive that are not invented."""

    def __init__(self, store: Store, datafeed: Datafeed, ingest: Ingest, stays: bool) -> None:
        """Write through `ingest`; a demo that `stays` goes on beside real markets."""
        self._store = store
        self._datafeed = datafeed
        self._ingest = ingest
        self._demo = Demo()
        self._remembered: Seeding | None = None
        self._task: asyncio.Task[None] | None = None
        self._reorg: asyncio.Task[tuple[int, int]] | None = None
        self._error: str | None = None
        self._gone = False
        self._bar: tqdm[object] | None = None
        if not stays:
            ingest.subscribe(self._give_way)

    def state(self) -> PartState | None:
        """Return seeding (with its progress), live or failing; None once it gave way for good."""
        if self._gone:
            return None
        if self._error is not None:
            return PartState("demo", "failing", self._error)
        return PartState("demo", self._demo.state, progress=self._demo.progress)

    def start(self) -> None:
        """Begin to bring trades."""
        self._task = asyncio.create_task(self._run(), name="demo")

    async def stop(self) -> None:
        """Stop bringing trades and wait until it has."""
        for task in (self._reorg, self._task):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])

    async def _run(self) -> None:
        try:
            self._demo = await self._prepared()
            await self._demo.run(self._submit, time.time)
        except Exception as error:
            self._error = f"the demo stopped: {error!r}"
            log.exception("the demo stopped")
        finally:
            self._close_bar()

    async def _prepared(self) -> Demo:
        stored = await asyncio.wrap_future(
            self._store.writer.call(lambda client: checkpoints.read(client, _KIND))
        )
        if _KEY in stored:
            self._remembered = msgspec.json.decode(stored[_KEY], type=Seeding)
        last = await self._last()
        pending = self._remembered is not None and not self._remembered.done
        return Demo(last, unfinished=self._remembered.seeded_at if pending else None)  # type: ignore[union-attr] # pending says so

    async def _last(self) -> LastTimes:
        """Return unix second and price of what is newest in each of the demo's markets."""
        markets = [m for m in self._catalogue.all() if m.spec.exchange == DEMO_EXCHANGE]
        seconds = await self._datafeed.last_seconds(markets) if markets else {}
        suffix = f".{DEMO_EXCHANGE}"  # of a market that gave its name away
        return {m.symbol.removesuffix(suffix): seconds[m.id] for m in markets if m.id in seconds}

    async def reorg(self, depth: int) -> tuple[int, int]:
        """Retract the last `depth` blocks of the demo's chain and trade otherwise in them.

        Returns the first and the last block that were replaced.

        Raises:
            Conflict: the demo is not live, or is being reorganized.
            Retryable: the store fails.
        """
        if self._reorg is not None and not self._reorg.done():
            raise Conflict("the demo is being reorganized; ask again when that is done")
        work = self._demo.reorg(depth, self._retracted)
        self._reorg = asyncio.create_task(work, name="demo-reorg")
        # who asked may go away: retracted blocks are replaced all the same
        return await asyncio.shield(self._reorg)

    async def _retracted(self, block: int) -> LastTimes:
        await self._ingest.retract(CHAIN_ID, block)
        return await self._last()

    @property
    def _catalogue(self) -> Catalogue:
        return self._store.catalogue

    async def _submit(
        self,
        trades: pa.Table,
        markets: Sequence[MarketSpec],
        source: str,
        marks: tuple[Mark, ...] = (),
    ) -> Receipt:
        seeded_at = self._demo.seeded_at
        if seeded_at is not None:
            self._show()
            await self._remember(Seeding(seeded_at, done=self._demo.state == "live"))
        bulk = self._demo.state == "seeding"
        attached = Attached(marks)
        return await self._ingest.submit(trades, markets, source, bulk=bulk, attached=attached)

    async def _remember(self, seeding: Seeding) -> None:
        if seeding == self._remembered:
            return
        value = msgspec.json.encode(seeding).decode()
        await asyncio.wrap_future(
            self._store.writer.call(lambda client: checkpoints.write(client, _KIND, _KEY, value))
        )
        self._remembered = seeding
        if seeding.done:
            log.info("the demo has stored 24 hours of history")
        elif self._bar is None:
            log.info("the demo stores 24 hours of history")

    def _show(self) -> None:
        """Draw how far the seeding is, on a terminal only."""
        if self._demo.state != "seeding":
            self._close_bar()
        elif self._bar is not None:
            self._bar.update(self._demo.progress - self._bar.n)
        elif sys.stderr.isatty():
            self._bar = tqdm(total=1.0, bar_format=_BAR)

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.update(self._demo.progress - self._bar.n)
            self._bar.close()
            self._bar = None

    def _give_way(self, commit: Commit) -> None:
        real = any(m.spec.exchange != DEMO_EXCHANGE for m in commit.markets)
        if real and self._task is not None and not self._task.done():
            log.info("trades of real markets have arrived: the demo stops and is hidden")
            self._gone = True
            self._task.cancel()
