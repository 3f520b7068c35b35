"""Every stream that is offered: who follows which, and how each of them stands."""

import asyncio
import logging

from appliance.errors import RequestError
from appliance.model import Commit, Market
from appliance.store.catalogue import Catalogue
from appliance.streaming.client import Client
from appliance.streaming.hub import Hub
from appliance.streaming.live import Live
from appliance.streaming.message import Event
from appliance.streaming.names import Stream, parse_stream
from appliance.streaming.tickers import Tickers

log = logging.getLogger(__name__)


class Streams:
    """Live and tickers as one."""

    def __init__(self, catalogue: Catalogue, hub: Hub, live: Live, tickers: Tickers) -> None:
        """Have what is watched at `hub` followed by the one who can."""
        self._catalogue = catalogue
        self.hub = hub
        self.live = live
        self.tickers = tickers
        self._followed: dict[str, dict[str, int]] = {}  # market ids by symbol and topic
        self._stopped_by: str | None = None
        hub.on_watch(self._watch, self._unwatch)

    def parse(self, text: str) -> Stream:
        """Return the stream that `text` names.

        Raises:
            BadRequest: the text names no kind of stream that is offered, or no interval.
            UnknownSymbol: no market answers to the part before `@`.
        """
        return parse_stream(text, self._catalogue)

    def join(self, client: Client, stream: Stream) -> bool:
        """Subscribe a client; return False if it was subscribed already.

        Raises:
            RequestError: there are too many intervals of its market, or too many unusual ones.
            TooLarge: there are too many subscriptions or streams.
        """
        if stream.interval is not None and stream.name not in client.topics:
            prefix, most = f"{stream.symbol.lower()}@kline_", self.hub.limits.intervals
            if sum(topic.startswith(prefix) for topic in client.topics) >= most:
                raise RequestError(f"at most {most} different intervals of one market")
        return self.hub.subscribe(client, stream.name, unusual=stream.is_unusual)

    def newest(self, topic: str) -> list[Event]:
        """Return what a new subscriber is sent at once: the newest bar, or the ticker."""
        return self.live.newest(topic) or self.tickers.state(topic)

    def states(self, topic: str) -> list[Event]:
        """Return all that changes uncounted: bars that are not closed, or the ticker."""
        return self.live.open_bars(topic) or self.tickers.state(topic)

    def state(self) -> tuple[str, str | None]:
        """Return live, failing or stopped, and why it is not well."""
        state, reason = self.live.state()
        if self._stopped_by is not None:
            return "failing", reason or self._stopped_by
        if reason is None and self.tickers.error is not None:
            return "failing", self.tickers.error
        return state, reason

    def on_commit(self, commit: Commit) -> None:
        """Take new trades."""
        for market in commit.markets:
            self._take_over(market)
        self.live.on_commit(commit)
        self.tickers.on_commit(commit)

    async def run(self) -> None:
        """Follow what is watched, and look after those who watch, until cancelled.

        A failure ends all of it, and is logged and shown.
        """
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.live.run(), name="live")
                group.create_task(self.tickers.run(), name="tickers")
                group.create_task(self.hub.run(), name="hub")
        except Exception as error:
            log.exception("live streams stopped")
            self._stopped_by = f"stopped by {error!r}"
            raise

    def _take_over(self, market: Market) -> None:
        """Follow a market where another one had its name, as the demo's give theirs up."""
        symbol = self._catalogue.plain_name(market).lower()
        for topic, market_id in list(self._followed.get(symbol, {}).items()):
            if market_id != market.id:
                self._unwatch(topic)
                self.hub.skip(topic)
                self._watch(topic)
                self.live.reset_all(topic)

    def _watch(self, topic: str) -> None:
        stream = self.parse(topic)
        if stream.market is not None:
            symbol = stream.symbol.lower()
            self._followed.setdefault(symbol, {})[topic] = stream.market.id
        if stream.minutes:
            self.tickers.watch(stream)
        elif stream.kind != "depth":
            self.live.watch(stream)

    def _unwatch(self, topic: str) -> None:
        symbol = topic.partition("@")[0]
        topics = self._followed.get(symbol, {})
        topics.pop(topic, None)
        if not topics:
            self._followed.pop(symbol, None)
        self.live.unwatch(topic)
        self.tickers.unwatch(topic)
