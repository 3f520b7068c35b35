"""Tickers of watched markets, published once a second when they changed.

The numbers are those that the REST answers give: a ticker is compared with the last one when a
trade of its market was stored, and with each new minute, which lets another one go. Each time it is
looked at twice, as the numbers of 24 hours may be those of a second ago.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Protocol

from appliance.errors import Retryable
from appliance.model import Commit, Market
from appliance.statistics.span import DAY_MINUTES
from appliance.statistics.windows import Window
from appliance.store.catalogue import Catalogue
from appliance.streaming import events
from appliance.streaming.hub import Hub
from appliance.streaming.message import Event
from appliance.streaming.names import DAY, Stream

LISTED_MAX: Final = 2_000
"""Most markets in the stream of all of them; of more, those traded most lately."""
_PART: Final = 500
"""Markets in one event of that stream."""
_TICK_S: Final = 1.0
_MINUTE_S: Final = 60

log = logging.getLogger(__name__)


class Lately(Protocol):
    """What was traded lately, as `Windows` knows it."""

    async def day(self, markets: Sequence[Market]) -> dict[int, Window]:
        """Return the last 24 hours by id."""
        ...

    async def rolling(self, markets: Sequence[Market], minutes: int) -> dict[int, Window]:
        """Return the last minutes by id."""
        ...

    def span_ms(self, minutes: int) -> tuple[int, int]:
        """Return when a window that ends now begins and ends."""
        ...


@dataclass(slots=True)
class _Ticker:
    """A watched ticker, and how it stood when it was last told."""

    stream: Stream
    symbol: str
    market: Market
    window: Window | None = None
    event: Event | None = None


class Tickers:
    """Follows commits for the tickers that somebody watches."""

    def __init__(
        self,
        windows: Lately,
        catalogue: Catalogue,
        hub: Hub,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Publish nothing before `run`."""
        self._windows = windows
        self._catalogue = catalogue
        self._hub = hub
        self._clock = clock
        self._tickers: dict[str, _Ticker] = {}
        self._all: Stream | None = None
        self._listed: dict[int, _Ticker] = {}  # those traded most lately come last
        self._touched: dict[int, Market | None] = {}
        self._touched_before: dict[int, Market | None] = {}
        self._minutes = (0, 0)  # of the last two ticks
        self.error: str | None = None

    def watch(self, stream: Stream) -> None:
        """Begin to follow a ticker, or all of them."""
        if stream.market is not None:
            self._tickers[stream.name] = _Ticker(stream, stream.symbol, stream.market)
        else:
            self._all = stream
            if self._catalogue.shown <= LISTED_MAX:
                self._list(self._catalogue.visible())

    def unwatch(self, topic: str) -> None:
        """Forget a stream that nobody watches any more."""
        self._tickers.pop(topic, None)
        if self._all is not None and topic == self._all.name:
            self._all = None
            self._listed.clear()

    def state(self, topic: str) -> list[Event]:
        """Return how a topic stands, none before it was read."""
        if self._all is not None and topic == self._all.name:
            return self._parts([ticker for ticker in self._listed.values() if ticker.window])
        ticker = self._tickers.get(topic)
        return [ticker.event] if ticker and ticker.event else []

    def on_commit(self, commit: Commit) -> None:
        """Notice which markets changed."""
        if self._tickers or self._all:
            self._touched |= {market.id: market for market in commit.markets}
            self._touched |= dict.fromkeys(r.market_id for r in commit.revisions)

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await asyncio.sleep(_TICK_S)
            await self.tick()

    async def tick(self) -> None:
        """Publish the tickers that changed; a store that fails is asked again with the next tick.

        Ticks must be more than a second apart.
        """
        touched, self._touched = self._touched, {}
        minute = int(self._clock()) // _MINUTE_S
        is_new_minute = self._minutes != (minute, minute)
        try:
            await self._tell(self._touched_before | touched, is_new_minute)
        except Retryable as error:
            if self.error is None:
                log.error("reading tickers failed, trying again", exc_info=error)
            self.error = f"reading tickers failed: {error}"
            self._touched, self._minutes = touched | self._touched, (0, 0)
        else:
            self.error = None
            self._touched_before, self._minutes = touched, (self._minutes[1], minute)

    async def _tell(self, touched: dict[int, Market | None], everything: bool) -> None:
        if self._all is not None:
            self._list(m for m in touched.values() if m and self._catalogue.is_shown(m))
        due = [
            ticker
            for ticker in [*self._tickers.values(), *self._listed.values()]
            if everything or ticker.window is None or ticker.market.id in touched
        ]
        for name, minutes in {(t.stream.window, t.stream.minutes) for t in due}:
            some = [ticker for ticker in due if ticker.stream.window == name]
            markets = list({t.market.id: t.market for t in some}.values())
            if name == DAY:
                windows = await self._windows.day(markets)
            else:
                windows = await self._windows.rolling(markets, minutes)
            self._publish(some, windows, minutes)

    def _list(self, markets: Iterable[Market]) -> None:
        """Put markets at the end of those in the stream of all, and let the first ones go."""
        if self._all is None:
            return
        for market in markets:
            known = self._listed.pop(market.id, None)
            symbol = self._catalogue.plain_name(market)
            self._listed[market.id] = known or _Ticker(self._all, symbol, market)
        for market_id in list(islice(self._listed, max(0, len(self._listed) - LISTED_MAX))):
            del self._listed[market_id]

    def _publish(self, due: list[_Ticker], windows: dict[int, Window], minutes: int) -> None:
        span_ms = self._windows.span_ms(minutes)
        listed = []
        for ticker in due:
            window = windows.get(ticker.market.id)
            if window is None or window == ticker.window:
                continue
            ticker.window = window
            if ticker.stream.kind == "mini_tickers":
                listed.append(ticker)
            else:
                ticker.event = events.of_state(_body(ticker, window, span_ms))
                self._hub.publish(ticker.stream.name, [ticker.event])
        if listed and self._all is not None:
            self._hub.publish(self._all.name, self._parts(listed))

    def _parts(self, listed: list[_Ticker]) -> list[Event]:
        """Return events of several short tickers each."""
        span_ms = self._windows.span_ms(DAY_MINUTES)
        bodies = [_body(ticker, ticker.window, span_ms) for ticker in listed if ticker.window]
        return [events.of_list(bodies[i : i + _PART]) for i in range(0, len(bodies), _PART)]


def _body(ticker: _Ticker, window: Window, span_ms: tuple[int, int]) -> dict[str, Any]:
    if ticker.stream.kind == "ticker":
        return events.ticker(ticker.symbol, window, span_ms, ticker.stream.window)
    return events.mini_ticker(ticker.symbol, window, span_ms[1])
