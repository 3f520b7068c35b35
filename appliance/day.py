"""The last 24 hours: 1,440 minute buckets, the forming one included.

Composed of whole hours, the forming one included, and of the minutes before the first of them.
"""

from typing import Final

MINUTES: Final = 1_440
MINUTE_S: Final = 60
HOUR_S: Final = 3_600


def window(now: int) -> dict[str, int]:
    """Return the unix seconds at which the window and its first whole hour begin."""
    first = (now // MINUTE_S - MINUTES + 1) * MINUTE_S
    return {"from": first, "hour": -(-first // HOUR_S) * HOUR_S}
