"""Fill the holes between candles with flat ones, for callers who ask for it."""

from appliance.interval import Interval
from appliance.model import Candles


def filled(candles: Candles, interval: Interval, limit: int) -> Candles:
    """Return `candles` with flat ones at the close before each hole, the newest `limit`.

    Only prices, times and volume are filled; a hole of years costs no more than `limit`.
    """
    rows: list[tuple[int, float, float, float, float, float]] = []
    for i in range(len(candles) - 1, -1, -1):
        close = candles.close[i]
        if i + 1 < len(candles):
            start = interval.shift(candles.time[i + 1], -1)
            while start > candles.time[i] and len(rows) < limit:
                rows.append((start, close, close, close, close, 0.0))
                start = interval.shift(start, -1)
        if len(rows) >= limit:
            break
        ohlc = (candles.open[i], candles.high[i], candles.low[i], close)
        rows.append((candles.time[i], *ohlc, candles.volume[i]))
    columns = zip(*reversed(rows), strict=True)
    return Candles(*map(list, columns))
