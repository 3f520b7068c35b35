"""The store as one thing that opens and closes: engine, migrations, catalogue, writer, reader."""

import logging
from collections.abc import Callable

from appliance.metrics import Metrics
from appliance.model import Commit
from appliance.settings import Settings
from appliance.store.catalogue import Catalogue
from appliance.store.engine import Engine
from appliance.store.enrol import load_markets
from appliance.store.migrate import migrate
from appliance.store.reader import Reader
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
        self.reader = Reader(self.engine, settings.max_concurrent_queries, metrics)
        self.writer = Writer(self.engine, self.catalogue, publish, metrics)

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
            self.catalogue.load(load_markets(client))
            self.writer.start()
        except BaseException:
            self.engine.close()
            raise

    def close(self) -> None:
        """Store what is queued, let running queries finish, close every handle."""
        self.writer.close()
        self.reader.close()
        self.engine.close()
