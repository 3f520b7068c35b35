"""The store as one thing that opens and closes: engine, migrations, catalogue, writer, reader."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress

from clickhouse_connect.driver.exceptions import ClickHouseError

from appliance.errors import ConfigError
from appliance.metrics import Metrics
from appliance.model import Commit, Market
from appliance.settings import Settings
from appliance.store.bounds import Bounds
from appliance.store.catalogue import Catalogue
from appliance.store.commits import Commits
from appliance.store.damage import Damage, damaged
from appliance.store.disk import Disk
from appliance.store.engine import Engine, failing
from appliance.store.enrol import load_markets
from appliance.store.gate import Gate
from appliance.store.journal import Journal, Span
from appliance.store.migrate import migrate
from appliance.store.reader import Reader
from appliance.store.rebuild import run
from appliance.store.retention import Policy
from appliance.store.salvage import Case
from appliance.store.upkeep import Upkeep
from appliance.store.verify import Verifier
from appliance.store.writer import Writer

log = logging.getLogger(__name__)


class Store:
    """Everything that is stored, in the order of its start; `close` goes in reverse."""

    def __init__(
        self, settings: Settings, metrics: Metrics, publish: Callable[[Commit], None]
    ) -> None:
        """Build the parts; nothing is read before `open`."""
        self.engine = Engine(
            settings.store_dsn, settings.memory_limit_mb, settings.query_timeout_ms
        )
        self.catalogue = Catalogue(show_demo=settings.demo == "on")
        gate = Gate()
        self.reader = Reader(self.engine, settings.max_concurrent_queries, metrics, gate)
        journal = Journal(settings.data_dir / "journal")
        self.disk = _disk(settings)
        self._checking = threading.Lock()
        metrics.disk_free.set_function(lambda: self.disk.room().free)
        policy = Policy(settings.retention_trades_days, settings.candles_days)
        bounds = self._bounds = Bounds(self.disk, policy)
        self._commits = Commits(self.catalogue, journal, gate, publish, metrics, bounds)
        self._upkeep = Upkeep(self._commits, journal, gate, self.catalogue, bounds, publish)
        self.writer = Writer(self.engine, self._commits, metrics)
        self.verifier = Verifier(self.engine, self.writer, self.catalogue, self)

    def open(self) -> None:
        """Open the engine, bring the schema up to date, load the markets, start the writer.

        Raises:
            StoreLocked: another process owns the data directory.
            ConfigError: the store cannot be opened, or was made by a newer version.
        """
        client = self.engine.open()
        try:
            if applied := migrate(client):
                log.info("schema brought up to date: %s", ", ".join(applied))
            self.writer.recover()
            self.catalogue.load(load_markets(client))
            self._upkeep.look(client)
            self.verifier.load(client)
            self.writer.start()
        except ClickHouseError as error:
            self.engine.close()
            raise ConfigError(
                f"{failing(error)}; if its files are damaged, restore a backup into another "
                "--data-dir"
            ) from error
        except BaseException:
            self.engine.close()
            raise

    @property
    def pending(self) -> bool:
        """Return whether something that was taken waits to be stored."""
        return self._commits.pending

    def kept_from(self, market: Market | None, now: int) -> int:
        """Return the unix second before which no trade of a market is accepted, 0 if any is.

        `market` None: one that is not stored yet.
        """
        limit = max(self._bounds.trades_from, self._bounds.policy.trades_from(now))
        return max(limit, market.raw_complete_from) if market else limit

    @property
    def candles_from(self) -> Mapping[int, int]:
        """Return the unix second before which candles are not kept, by seconds of interval."""
        return self._bounds.candles_from

    @property
    def lost(self) -> list[Case]:
        """Return the damaged parts whose trades are missing still."""
        return self._upkeep.lost

    def finish(self) -> "Future[None]":
        """Store what waits, where there is room again."""
        return self.writer.call(lambda _: self._commits.finish())

    def prune(self, now: int) -> "Future[bool]":
        """Remove what the retention settings do not keep."""
        return self.writer.call(lambda client: self._upkeep.prune(client, now))

    def look_for_lost(self) -> "Future[None]":
        """See which lost trades were imported again, or given up."""
        return self.writer.call(self._upkeep.look)

    def damaged(self) -> list[Damage]:
        """Return the damaged parts, having read everything; on the calling thread.

        Raises:
            Retryable: the store fails or stops.
        """
        with self._checking:
            try:
                return damaged(self.reader.handle())
            except ClickHouseError as error:
                raise failing(error) from error

    def salvage(self, found: list[Damage]) -> "Future[list[Case]]":
        """Put damaged parts aside, make their candles anew, and return what is lost."""
        return self.writer.call(lambda client: self._upkeep.salvage(client, found))

    def repair(self, spans: Sequence[Span]) -> "Future[None]":
        """Make the candles of whole days anew, and publish that they changed."""
        return self.writer.call(lambda _: self._commits.repair(spans))

    def close(self) -> None:
        """Store what is queued, let running queries finish, close every handle."""
        self.verifier.stop()
        self._stop_checks()
        self.verifier.close()
        self.writer.close()
        self.reader.close()
        self.engine.close()

    def _stop_checks(self) -> None:
        """End what reads all files, and wait until it has: no handle may close under it."""
        if self.engine.embedded and self.writer.alive:
            with suppress(ClickHouseError):
                run(self.reader.handle(), "kill_checks", {})
        with self._checking:
            pass


def _disk(settings: Settings) -> Disk:
    others = [settings.store_path] if settings.store_path else []
    return Disk(settings.data_dir, settings.disk_floor, settings.ballast_size, others)
