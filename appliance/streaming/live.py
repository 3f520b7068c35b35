"""The forming candles of every watched market and interval, published as they change.

A trade that is newer than all the newest bar holds is merged into it. Anything else (a late
trade, an older bucket, a revision) makes live read the touched bars from the store again and
publish them as ordinary klines; commits that arrive meanwhile wait. So what was published last
for a bucket is what the store holds. Where closed bars change or go, clients that said HELLO are
told the range first, as a reset: what is gone, or too much to be sent, they can only read again.
A closed bar that a reorg may still change is published once more when it is final.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Final

import pyarrow as pa

from appliance import forming
from appliance.forming import Bar, Rows
from appliance.heads import Heads
from appliance.model import Candles, Commit
from appliance.past import Past, Snapshot
from appliance.streaming import events
from appliance.streaming.closing import Closing
from appliance.streaming.hub import Hub
from appliance.streaming.message import Event
from appliance.streaming.names import Stream
from appliance.streaming.series import (
    PROVISIONAL_MAX,
    REVISED_MAX,
    Entry,
    Reset,
    Series,
    extended,
    inside,
    revised_starts,
    runs,
    span,
    united,
)

TRADES_MAX: Final = 1_000
"""Most trades of one topic that one commit may announce; the newest."""
TICK_S: Final = 0.2
_READERS: Final = 2
_FLAT_REACH: Final = 1_000
"""How many buckets after a revised one are checked for flat bars at its close."""
_BACKOFF_TICKS_MAX: Final = 50

log = logging.getLogger(__name__)


class Live:
    """Follows commits for the topics that somebody watches."""

    def __init__(
        self,
        datafeed: Past,
        hub: Hub,
        close_grace_ms: int = 1_000,
        clock: Callable[[], float] = time.time,
        heads: Heads | None = None,
    ) -> None:
        """Publish what is watched to `hub`; no bars are read before `run`.

        `heads` is shared with whoever must know how far chains are, and kept by live.
        """
        self._datafeed = datafeed
        self._hub = hub
        self._clock = clock
        self._series: dict[str, Series] = {}
        self._by_market: dict[int, dict[str, Series]] = {}
        self._trades: dict[int, Stream] = {}
        self._wanted_ids: pa.Array | None = None
        self._heads = heads or Heads()
        self._closing = Closing(self._heads, close_grace_ms / 1000, clock)
        self._queue: asyncio.Queue[Series] = asyncio.Queue()  # a dirty series is in it once
        self._running = False
        self._stopped_by: str | None = None
        self._read_error: str | None = None

    def state(self) -> tuple[str, str | None]:
        """Return live, failing or stopped, and why it is not well."""
        if self.error is not None:
            return "failing", self.error
        return ("live", None) if self._running else ("stopped", None)

    @property
    def error(self) -> str | None:
        """Return why bars do not follow, None while all is well."""
        if self._stopped_by is not None or self._read_error is None:
            return self._stopped_by
        return self._read_error if any(s.failures for s in self._series.values()) else None

    # What is watched

    def watch(self, stream: Stream) -> None:
        """Begin to follow trades or bars; what forms is published once it was read."""
        if stream.market is None:
            return
        if stream.interval is None:
            self._trades[stream.market.id] = stream
        else:
            series = Series(stream.name, stream.symbol, stream.market, stream.interval)
            self._series[stream.name] = series
            self._by_market.setdefault(stream.market.id, {})[stream.name] = series
            self._read(series)
        self._wanted_ids = None

    def unwatch(self, topic: str) -> None:
        """Forget a stream that nobody watches any more."""
        series = self._series.pop(topic, None)
        if series is not None:
            of_market = self._by_market[series.market.id]
            del of_market[topic]
            if not of_market:
                del self._by_market[series.market.id]
        elif topic.endswith("@trade"):
            self._trades = {i: s for i, s in self._trades.items() if s.name != topic}
        self._wanted_ids = None

    def newest(self, topic: str) -> list[Event]:
        """Return the newest bar of a topic, none before it was read."""
        series = self._series.get(topic)
        return [self._event(series, series.newest)] if series and series.newest else []

    def open_bars(self, topic: str) -> list[Event]:
        """Return the bars of a topic that are not closed, in order."""
        series = self._series.get(topic)
        if series is None:
            return []
        bars = (bar for _, bar in sorted(series.bars.items()) if not bar.closed)
        return [self._event(series, bar) for bar in bars]

    def reset_all(self, topic: str) -> None:
        """Tell readers that no bar of a topic holds that they were sent."""
        series = self._series.get(topic)
        if series is not None:
            last = series.interval.floor(int(self._clock()))
            self._tell(series, [Reset("repair", series.interval.floor(0), last)])

    # What happens

    def on_commit(self, commit: Commit) -> None:
        """Take new trades; whatever goes wrong here never reaches the one who stored them."""
        try:
            self._follow(commit)
        except Exception:
            log.exception("commit %d: all watched bars are read again", commit.number)
            for series in self._series.values():
                self._feed(series, Entry(commit.number, None, tuple(series.bars)))
            for stream in self._trades.values():
                self._hub.skip(stream.name)

    def _follow(self, commit: Commit) -> None:
        self._heads.follow(commit)
        for revision in commit.revisions:
            for series in list(self._by_market.get(revision.market_id, {}).values()):
                first, last = map(series.interval.floor, (revision.first, revision.last))
                self._revise(series, commit.number, Reset(revision.reason, first, last))
        if self._wanted_ids is None:
            ids = sorted(self._by_market.keys() | self._trades.keys())
            self._wanted_ids = pa.array(ids, pa.uint32())
        if not len(self._wanted_ids):
            return
        for rows in forming.split(commit.trades, self._wanted_ids):
            for series in list(self._by_market.get(rows.market_id, {}).values()):
                if commit.bulk:
                    edges = span(rows, series.interval)
                    self._revise(series, commit.number, Reset("import", *edges))
                else:
                    self._feed(series, Entry(commit.number, rows))
            stream = self._trades.get(rows.market_id)
            if stream is not None and not commit.bulk:  # history is no news
                self._announce(stream, rows)

    def _announce(self, stream: Stream, rows: Rows) -> None:
        """Publish trades; of more than are worth reading, the older ones only count."""
        told = events.trades(stream.symbol, rows, self._now_ms())
        if len(told) > TRADES_MAX:
            self._hub.skip(stream.name, len(told) - TRADES_MAX)
        self._hub.publish(stream.name, told[-TRADES_MAX:])

    def processed(
        self,
        chain_id: int,
        block_time: int,
        finalized_block: int | None = None,
        finalized_time: int | None = None,
    ) -> None:
        """Note that a chain is processed up to a block of this time; its bars close by it.

        No block up to `finalized_block` can be reorganized any more (negative: none yet). The
        unix second of the newest block known up to it makes that exact for buckets that go on
        after it. A closed bar that becomes final is published again with the next tick.
        """
        self._heads.processed(chain_id, block_time)
        if finalized_block is not None:
            self._heads.finalized(chain_id, finalized_block, finalized_time)

    def tick(self) -> None:
        """Close the bars whose time has come, and ask the store again where it failed."""
        for series in list(self._series.values()):
            if not series.dirty:
                if self._closing.is_due(series):
                    self._publish(series, set())
            elif series.wait_ticks > 0:
                series.wait_ticks -= 1
                if series.wait_ticks == 0:
                    self._queue.put_nowait(series)

    async def run(self) -> None:
        """Close bars and read the store until cancelled; a failure is logged and shown."""
        self._running = True
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._tick_forever(), name="live-clock")
                for number in range(_READERS):
                    group.create_task(self._read_forever(), name=f"live-reader-{number}")
        except Exception as error:
            log.exception("live stopped: bars are no longer closed")
            self._stopped_by = f"stopped by {error!r}"
            raise
        finally:
            self._running = False

    async def _tick_forever(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self.tick()

    # Bars that are merged

    def _feed(self, series: Series, entry: Entry) -> None:
        if series.dirty:
            series.hold(entry)
        elif entry.number <= series.applied or not self._merge(series, entry):
            series.hold(entry)
            self._read(series)

    def _revise(self, series: Series, number: int, reset: Reset) -> None:
        self._feed(series, Entry(number, None, resets=(reset,)))

    def _merge(self, series: Series, entry: Entry) -> bool:
        if series.newest is None or entry.rows is None:
            return False
        closed = series.newest.start if series.newest.closed else None
        changed = forming.merge(series.newest, entry.rows, series.interval, REVISED_MAX)
        if changed is None:
            return False
        if changed[0].start == closed:
            self._tell(series, [Reset("late_trade", closed, closed)])
        series.bars |= {bar.start: bar for bar in changed}
        series.newest = changed[-1]
        self._publish(series, {bar.start for bar in changed})
        return True

    def _tell(self, series: Series, resets: Iterable[Reset]) -> None:
        told = [
            events.reset(series.symbol, series.interval, r.first, r.last, r.reason, self._now_ms())
            for r in resets
        ]
        self._hub.publish(series.name, told)

    def _publish(self, series: Series, starts: set[int]) -> None:
        """Publish bars in order, those now closed or final, too; forget those that are both."""
        told = self._closing.settle(series, starts)
        self._hub.publish(series.name, [self._event(series, bar) for bar in told])
        series.forget()
        if series.revise and not series.dirty:
            self._read(series)

    def _event(self, series: Series, bar: Bar) -> Event:
        return events.kline(series.symbol, series.interval, bar, self._now_ms())

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)

    # Bars that are read

    def _read(self, series: Series) -> None:
        series.dirty = True
        self._queue.put_nowait(series)

    async def _read_forever(self) -> None:
        while True:
            series = await self._queue.get()
            if self._series.get(series.name) is not series:
                continue
            try:
                await self._refresh(series)
            except Exception as error:  # noqa: BLE001 # logged below; the bars stay as they were
                self._failed(series, error)
            await asyncio.sleep(0)  # an answer from memory must not keep the loop from others

    def _failed(self, series: Series, error: Exception) -> None:
        if self.error is None:
            log.error("reading %s failed, trying again", series.name, exc_info=error)
        self._read_error = f"reading {series.name} failed: {error}"
        series.dirty = True
        series.wait_ticks = min(1 << series.failures, _BACKOFF_TICKS_MAX)
        series.failures = min(series.failures + 1, 10)

    async def _refresh(self, series: Series) -> None:
        count = series.reach()
        if series.applied < 0 and self._heads.is_followed(series.market):
            count = max(count, PROVISIONAL_MAX)  # readers may hold bars that become final later
        snapshot = await self._datafeed.snapshot(series.market, series.interval, count)
        times = snapshot.candles.time
        horizon = times[0] if len(times) >= count else 0
        far = [start for start in series.wanted(snapshot.commit) if start < horizon]
        older = [await self._candles(series, run) for run in runs(far, series.interval)]
        resets = series.resets(snapshot.commit)
        far_resets = (reset for reset in resets if reset.first < horizon)
        older += [await self._revised(series, reset) for reset in far_resets]
        if self._series.get(series.name) is not series:
            return
        if resets != series.resets(snapshot.commit):  # told of while these were read
            self._queue.put_nowait(series)
            return
        missed = {s for s in series.wanted(snapshot.commit) if s < horizon} - set(far)
        self._renew(series, snapshot, older, missed)

    async def _candles(self, series: Series, run: list[int]) -> Candles:
        to = series.interval.shift(run[-1], 1 + _FLAT_REACH)
        return (await self._datafeed.candles(series.market, series.interval, run[0], to)).candles

    async def _revised(self, series: Series, reset: Reset) -> Candles:
        """Return the newest candles of a range, and those after it that may repeat its last."""
        to = series.interval.shift(reset.last, 1 + _FLAT_REACH)
        limit = REVISED_MAX + _FLAT_REACH
        question = (series.market, series.interval, reset.first, to)
        return (await self._datafeed.candles(*question, limit=limit)).candles

    def _renew(
        self, series: Series, snapshot: Snapshot, older: list[Candles], missed: set[int]
    ) -> None:
        """Replace the bars by those read, publish what changed, then take what waited."""
        commit, read = snapshot.commit, [*older, snapshot.candles]
        now = int(self._clock())
        resets, late = (
            [extended(each, read, series.interval, now) for each in found]
            for found in (series.resets(commit), series.late(commit))
        )
        touched = set(series.wanted(commit)) - missed
        for candles in read:
            touched |= inside((reset for reset in resets if reset.is_shown), candles.time)
        priced = series.priced(commit)
        known = {*series.bars, *snapshot.candles.time[-2:]}
        edge = self._heads.provisional_from(series.market, series.interval, snapshot.candles)
        known.update(start for start in snapshot.candles.time if edge and start >= edge)
        gone = inside(resets, series.bars)  # but for those that are read again
        bars = {start: bar for start, bar in series.bars.items() if start not in gone}
        shown: set[int] = set()
        for candles in read:
            shown |= revised_starts(candles, touched)
            bars |= forming.bars_of(candles, shown | known, priced)
        before, series.newest = series.newest, bars[max(bars)] if bars else None
        self._closing.carry(series, bars, shown, gone)
        if series.newest is not None and series.newest != before:
            shown.add(series.newest.start)
        waiting = [e for e in series.pending if e.number > commit]
        series.bars, series.pending, series.revise = bars, [], missed
        series.applied, series.dirty, series.failures = commit, False, 0
        self._tell(series, united([*resets, *late]))
        self._publish(series, set(sorted(shown)[-REVISED_MAX:]))
        for entry in waiting:
            self._feed(series, entry)
