"""Prove that a store is what it was when the chunks on disk were written.

A clean stop writes a random word into the store, and beside the chunks that word with the state of
the table of candles: which parts it was ever given. The next start compares them and breaks the
seal before anything is stored. Whatever happens in between leaves another word or another state:
- killed, or without power: no seal was written, or it was broken;
- candles made anew, imported or pruned without a server: inserts and deletions number the parts;
- a backup restored, another store put in place: its word is another, or none;
- another version of the product: the schema, the query and the form of chunks are in the state.
The engine's own merges change neither. Where the store is a server, others may write to it: it is
never sealed.
"""

from hashlib import blake2b
from secrets import token_hex
from typing import Final

from clickhouse_connect.driver.client import Client

from appliance import resources
from appliance.store import checkpoints
from appliance.store.migrate import migrations
from appliance.store.reader import select

KIND: Final = "cache"
_KEY: Final = "seal"
_FORM: Final = 1
"""To be raised when chunks are written differently, or hold something else."""


def seal(client: Client) -> str:
    """Seal the store and return what opens it."""
    word = token_hex(16)
    checkpoints.write(client, KIND, _KEY, word)
    return f"{word} {_state(client)}"


def unseal(client: Client) -> str:
    """Break the store's seal and return what it was, empty if there was none."""
    word = checkpoints.read(client, KIND).get(_KEY, "")
    if not word:
        return ""
    checkpoints.write(client, KIND, _KEY, "")
    return f"{word} {_state(client)}"


def _state(client: Client) -> str:
    rows = [*zip(*select(client, "select_candle_parts", {}), strict=True)]
    query = resources.text("schema", "queries/select_candles.sql")
    known = [(each.name, each.digest) for each in migrations()]
    return blake2b(repr((_FORM, rows, query, known)).encode(), digest_size=16).hexdigest()
