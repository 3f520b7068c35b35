"""An index of all names of all markets: which begin with a text, which hold it, which come next.

SQLite's full-text index of trigrams, in a private temporary database: it stays in memory while it
is small, and goes to a file that vanishes with the process beyond CACHE_KB. Every statement takes
and answers one row, however many markets are meant: a thread that steps through rows would ask
for Python's lock at each, and wait for the event loop each time.

One thread uses it.
"""

import sqlite3
from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from appliance import resources
from appliance.model import Market
from appliance.store.catalogue import ACTIVE, is_demo

Ids = NDArray[np.integer[Any]]
Kind = Literal["symbol", "name"]
CACHE_KB: Final = 32 << 10
_SYMBOL, _PLAIN, _NAME, _ADDRESS, _EXCHANGE = range(5)
_KINDS: Final[dict[Kind, int]] = {"symbol": _SYMBOL, "name": _NAME}
_LAST: Final = "\U0010ffff"
"""Sorts after whatever may follow a prefix."""
_GRAM: Final = 3
_GRAMS: Final = 8
"""Most trigrams of one question: who answers looks at the names anyway, and each costs time."""
_Names = dict[int, str]


class Names:
    """The index; it begins empty."""

    def __init__(self) -> None:
        """Make the tables."""
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for pragma in (f"cache_size = -{CACHE_KB}", "journal_mode = OFF", "synchronous = OFF"):
            self._database.execute(f"PRAGMA {pragma}")
        self._run("create_names")
        self._run("create_parts")
        self._database.execute("BEGIN")  # never ended: nobody else reads it, or ever will

    def close(self) -> None:
        """Forget everything."""
        self._database.close()

    def add(self, markets: Iterable[Market]) -> None:
        """Index markets that are not in it; those that are neither shown nor demo are left out."""
        self._write("insert", markets)

    def replace(self, pairs: Iterable[tuple[Market, Market]]) -> None:
        """Put the second of each pair in the place of the first, which is in it."""
        changed = [(a, b) for a, b in pairs if _indexed(a) != _indexed(b)]
        self._write("delete", (former for former, _ in changed))
        self._write("insert", (present for _, present in changed))

    def _write(self, verb: str, markets: Iterable[Market]) -> None:
        rows = [(market.id, names) for market in markets if (names := _indexed(market))]
        if not rows:
            return
        keys = [(kind, key, ident) for ident, names in rows for kind, key in names.items()]
        texts = [(ident, _text(names)) for ident, names in rows]
        self._run(f"{verb}_names", rows=_json(keys))
        self._run(f"{verb}_parts", rows=_json(texts))

    def exact(self, text: str, limit: int) -> Ids:
        """Return at most `limit` ids of markets that have the name `text`."""
        return self._ids("select_exact", text=text, limit=limit)

    def beginning(self, text: str, limit: int) -> Ids:
        """Return at most `limit` ids of markets with a name that begins with `text`."""
        return self._ids("select_prefix", text=text, end=text + _LAST, limit=limit)

    def holding(self, text: str, limit: int) -> Ids:
        """Return at most `limit` ids of markets whose names may hold `text`; none lacks a trigram.

        A text shorter than a trigram is in no index: there are none.
        """
        starts = range(len(text) - _GRAM + 1)
        if len(starts) > _GRAMS:  # every letter once will do
            starts = range(0, len(text) - _GRAM + 1, _GRAM)[:_GRAMS]
        grams = {text[start : start + _GRAM] for start in starts}
        if not grams or "\0" in text:
            return np.empty(0, np.uint32)
        quoted = ('"{}"'.format(gram.replace('"', '""')) for gram in sorted(grams))
        return self._ids("select_part", match=" AND ".join(quoted), limit=limit)

    def of_exchange(self, exchange: str, limit: int) -> Ids:
        """Return at most `limit` ids of markets of an exchange."""
        return self._ids("select_of_exchange", exchange=exchange, limit=limit)

    def page(
        self, kind: Kind, hidden: Iterable[int], limit: int, offset: int, *, descending: bool
    ) -> Ids:
        """Return one page of all ids but those that are `hidden`, by symbol or by name."""
        name = "select_by_name_descending" if descending else "select_by_name"
        bounds = {"limit": limit, "offset": offset}
        return self._ids(name, kind=_KINDS[kind], hidden=_json(list(hidden)), **bounds)

    def _ids(self, name: str, **parameters: object) -> Ids:
        [row] = self._run(name, **parameters)
        return np.fromstring(row[0], np.uint32, sep=",") if row[0] else np.empty(0, np.uint32)

    def _run(self, name: str, **parameters: object) -> list[Any]:
        text = resources.text("schema", f"sqlite/{name}.sql")
        return self._database.execute(text, parameters).fetchall()


def folded(text: str) -> str:
    """Return a text as the index spells it."""
    return text.strip().upper()


def names_of(market: Market) -> _Names:
    """Return the names that a market is found by; those of two kinds that are equal, once."""
    symbol, spec = market.symbol, market.spec
    found = {_SYMBOL: symbol}
    if not symbol.isalnum():
        found[_PLAIN] = market.plain_symbol
    found[_NAME] = folded(spec.name) or symbol
    if spec.contract:
        found[_ADDRESS] = spec.contract.upper()
    return found


def _indexed(market: Market) -> _Names:
    if market.status != ACTIVE and not is_demo(market):
        return {}
    return names_of(market) | {_EXCHANGE: market.spec.exchange.upper()}


def _text(names: _Names) -> str:
    return "\n".join(dict.fromkeys(names[kind] for kind in names if kind != _EXCHANGE))


def _json(rows: object) -> str:
    return msgspec.json.encode(rows).decode()
