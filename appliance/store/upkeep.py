"""What a store does for itself between commits: finish, prune, put damaged parts aside.

Used by the writer's thread alone.
"""

import logging
from collections.abc import Callable, Iterable

from clickhouse_connect.driver.client import Client

from appliance.model import TRADE_SCHEMA, Commit, Revision
from appliance.store import retention, salvage
from appliance.store.apply import replay
from appliance.store.bounds import Bounds
from appliance.store.catalogue import Catalogue
from appliance.store.commits import Commits
from appliance.store.damage import Damage
from appliance.store.gate import Gate
from appliance.store.journal import Journal
from appliance.store.salvage import Case

log = logging.getLogger(__name__)


class Upkeep:
    """The upkeep of one store."""

    def __init__(
        self,
        commits: Commits,
        journal: Journal,
        gate: Gate,
        catalogue: Catalogue,
        bounds: Bounds,
        publish: Callable[[Commit], None],
    ) -> None:
        """Do nothing before it is asked."""
        self._commits = commits
        self._journal = journal
        self._gate = gate
        self._catalogue = catalogue
        self._bounds = bounds
        self._publish = publish
        self.lost: list[Case] = []
        """Damaged parts whose trades are missing still."""

    def prune(self, client: Client, now: int) -> bool:
        """Remove what the retention settings do not keep; return whether anything was removed.

        Before that nothing is left that could be stored again: a journal entry that is applied
        after its trades were removed would bring them back.
        """
        policy = self._bounds.policy
        if not policy.trades_days and not policy.candles_days:
            return False
        self._commits.rest()
        limit = self._bounds.trades_from = policy.trades_from(now)
        with self._gate.closed():
            for market in retention.limit_markets(client, self._catalogue.all(), limit):
                self._catalogue.put(market)
            candles = retention.limit_candles(client, policy.candles_from(now))
            self._bounds.candles_from = candles
            return retention.delete(client, limit, candles)

    def salvage(self, client: Client, found: Iterable[Damage]) -> list[Case]:
        """Put damaged parts aside while the store runs; return the cases that lost trades.

        Trades that the journal still holds are stored again; candles are made of what is there.

        Raises:
            ConfigError: a part is damaged that cannot be made of others.
        """
        self._commits.finish()
        with self._gate.closed():
            cases = salvage.begin(client, found)
        if cases:
            replay(client, self._journal.open(everything=True), self._gate, lost_parts=True)
        with self._gate.closed():
            lost, spans = salvage.finish(client, cases)
        if cases:
            self._commits.recount()
            revisions = tuple(Revision(s.market_id, s.first, s.last, "repair") for s in spans)
            markets = tuple(self._catalogue.get(i) for i in {s.market_id for s in spans})
            number = self._commits.started
            self._publish(Commit(number, TRADE_SCHEMA.empty_table(), markets, revisions))
        self.look(client)
        return lost

    def look(self, client: Client) -> None:
        """See which lost trades were imported again, or given up."""
        self.lost = salvage.still_lost(client)
