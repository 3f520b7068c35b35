"""What retention took away: nothing below it is made anew, compared or accepted."""

from collections.abc import Iterable
from typing import Final

from clickhouse_connect.driver.client import Client

from appliance.store import checkpoints
from appliance.store.reader import select

KIND: Final = "retention"
"""Of the checkpoints that say, by interval in seconds, from which unix second candles are kept."""


def candles_from(client: Client) -> dict[int, int]:
    """Return the unix second from which candles are complete, by interval in seconds.

    Intervals that are not in it are complete from the beginning.
    """
    return {int(key): int(value) for key, value in checkpoints.read(client, KIND).items()}


def raw_from(client: Client, markets: Iterable[int]) -> dict[int, int]:
    """Return the unix second from which trades are complete, 0 if from the beginning, by market."""
    columns = select(client, "select_raw_complete_from", {"markets": list(markets)})
    return dict(zip(*columns, strict=True)) if columns else {}
