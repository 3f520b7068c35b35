"""The last minutes: as many whole minute buckets as asked, the forming one included.

Composed of whole hours, the forming one included, and of the minutes before the first of them.
"""

from typing import Final

DAY_MINUTES: Final = 1_440
MINUTE_S: Final = 60
HOUR_S: Final = 3_600


def starts(now: int, minutes: int = DAY_MINUTES) -> dict[str, int]:
    """Return the unix seconds at which the span (`from`) and its first whole hour begin."""
    first = (now // MINUTE_S - minutes + 1) * MINUTE_S
    return {"from": first, "hour": -(-first // HOUR_S) * HOUR_S}
