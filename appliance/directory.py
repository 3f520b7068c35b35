"""The list of markets: a page of it in any order, and the search for a few among a million.

What takes long runs on one thread of its own, in pieces; questions wait for a piece at most.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

import numpy as np

from appliance.errors import Retryable
from appliance.model import Commit, Market
from appliance.search import Question, Search
from appliance.statistics.board import Board, Key, Standings
from appliance.store.catalogue import Catalogue
from appliance.store.names import Ids, Kind, folded
from appliance.store.reader import Reader

log = logging.getLogger(__name__)
Sort = Key | Kind
_PATIENCE_S: Final = 0.05
"""How long a question waits for what is not indexed yet; thousands of markets take no longer."""
T = TypeVar("T")


class Directory:
    """Answers questions about many markets; the index is made when the first one comes."""

    def __init__(self, reader: Reader, catalogue: Catalogue, clock: Callable[[], float]) -> None:
        """Read nothing yet."""
        self._catalogue = catalogue
        self._board = Board(reader, catalogue, clock)
        self._search: Search | None = None  # its thread's alone
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="search")
        self._indexing: asyncio.Task[None] | None = None

    def on_commit(self, commit: Commit) -> None:
        """Forget the order, if the commit took something away or rebuilt it."""
        if commit.revisions:
            self._board.forget()

    @property
    def shown(self) -> int:
        """Return how many markets are listed."""
        return self._catalogue.shown

    @property
    def is_indexing(self) -> bool:
        """Return whether there is something that is known but not indexed yet."""
        return self._indexing is not None

    async def indexed(self) -> None:
        """Return once all that is known is indexed."""
        if self._indexing is not None:
            await asyncio.wait({self._indexing})

    def start(self) -> None:
        """Begin to index what is stored, or came since, unless that goes on already."""
        if self._indexing is None:
            self._indexing = asyncio.create_task(self._index(), name="search-index")
            self._indexing.add_done_callback(self._indexed)

    async def _index(self) -> None:
        while await self._run(self._catch_up):
            pass

    def _indexed(self, task: "asyncio.Task[None]") -> None:
        self._indexing = None
        if not task.cancelled():
            task.exception()

    def _catch_up(self) -> bool:
        if self._search is None:
            self._search = Search(self._catalogue)
        return self._search.catch_up()

    def _fresh(self) -> Search:
        """Return the index with what came since; what takes longer goes on in the background."""
        until = time.monotonic() + _PATIENCE_S
        while self._catch_up() and time.monotonic() < until:
            pass
        if self._search is None:
            raise Retryable("the index of names was lost: ask again")
        return self._search

    async def search(self, text: str, exchange: str = "", limit: int = 30) -> list[Market]:
        """Return the shown markets that match: exact, then prefix, then parts; the busiest first.

        A name is a symbol, with or without its punctuation, a market's name, or an address.

        Raises:
            Retryable: the store or the index fails.
        """
        question = Question(folded(text), exchange, limit)
        standings = await self._board.standings()
        self.start()
        return await self._run(lambda: self._fresh().find(question, standings))

    async def page(self, sort: Sort, *, descending: bool, limit: int, offset: int) -> list[Market]:
        """Return one page of the shown markets; those whose number is not known come last.

        Raises:
            Retryable: the store or the index fails.
        """
        self.start()
        if sort == "symbol" or sort == "name":  # noqa: PLR1714 - mypy narrows this one only
            read = partial(self._by_name, sort, limit, offset, descending=descending)
        else:
            standings = await self._board.standings()
            read = partial(self._by_number, standings, sort, limit, offset, descending=descending)
        ids = await self._run(read)
        return [self._catalogue.get(market_id) for market_id in ids.tolist()]

    def _by_name(self, kind: Kind, limit: int, offset: int, *, descending: bool) -> Ids:
        hidden = self._catalogue.hidden()
        return self._fresh().names.page(kind, hidden, limit, offset, descending=descending)

    def _by_number(
        self, standings: Standings, key: Key, limit: int, offset: int, *, descending: bool
    ) -> Ids:
        order = standings.ordered(key, descending=descending)
        return self._shown(order, offset + limit)[offset:]

    def _shown(self, order: Ids, wanted: int) -> Ids:
        """Return the first `wanted` of the shown markets, in this order; then those not in it."""
        hidden = self._catalogue.hidden()
        shown = order[~np.isin(order, hidden)] if hidden else order
        if len(shown) < wanted:
            others = np.setdiff1d(self._catalogue.ids(), order, assume_unique=True)
            shown = np.concatenate([shown, others[~np.isin(others, hidden)]])
        return shown[:wanted]

    async def _run(self, work: Callable[[], T]) -> T:
        """Run `work` on the thread of the index, and begin it anew where that fails."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as error:
            log.error("the index of names is made anew: %s", error)
            self._search = None
            raise Retryable(f"the index of names failed, {error}: ask again") from error

    def close(self) -> None:
        """End the thread; the index goes with it."""
        if self._indexing is not None:
            self._indexing.cancel()
        self._thread.submit(self._forget)
        self._thread.shutdown(wait=True, cancel_futures=False)

    def _forget(self) -> None:
        if self._search is not None:
            self._search.names.close()
            self._search = None
