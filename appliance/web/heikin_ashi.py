"""Heikin-Ashi candles: averages that show a trend more plainly than the prices do.

close = (open + high + low + close) / 4; open = the middle of the candle before, of its averaged
open and close; high and low hold both. The first candle's open is the middle of its own.

So each open depends on the whole series before it, by halves: half on the candle before, a quarter
on the one before that. REACH halvings later nothing is left of it that a double could hold. The
open of a candle is therefore defined by the REACH candles before it, the first of which begins as
if the series did, and by no others: it is the same on every page, whatever the page begins with.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from appliance.model import Candles

REACH: Final = 128


def averaged(candles: Candles) -> Candles:
    """Return the Heikin-Ashi candles of `candles`, which begin the series or REACH before it."""
    count = len(candles)
    if not count:
        return candles
    first, high, low, last = (
        np.array(column) for column in (candles.open, candles.high, candles.low, candles.close)
    )
    close = (first + high + low + last) / 4
    number = np.arange(count)
    seeds = np.maximum(number - REACH, 0)
    opens = (first[seeds] + last[seeds]) / 2
    for back in range(REACH, 0, -1):
        before = number - back
        known = before >= 0
        opens[known] = (opens[known] + close[before[known]]) / 2
    return replace(
        candles,
        open=opens.tolist(),
        high=np.maximum(high, np.maximum(opens, close)).tolist(),
        low=np.minimum(low, np.minimum(opens, close)).tolist(),
        close=close.tolist(),
    )
