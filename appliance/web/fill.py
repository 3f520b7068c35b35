"""Fill the holes between candles with flat ones, for callers who ask for it."""

from appliance.interval import Interval
from appliance.model import Candles


def filled(
    candles: Candles,
    interval: Interval,
    limit: int,
    from_time: int | None = None,
    to_time: int | None = None,
) -> Candles:
    """Return `candles` with flat ones at the close before each hole, the newest `limit`.

    From the first candle, but not before `from_time`, to the last, or to before `to_time` where
    that is later. Only prices, times and volume are filled; a hole of years costs no more than
    `limit`.
    """
    rows: list[tuple[int, float, float, float, float, float]] = []
    first = -1 if from_time is None else from_time
    end = 0 if to_time is None else interval.ceil(to_time)
    for i in range(len(candles) - 1, -1, -1):
        close = candles.close[i]
        start = interval.shift(end, -1)
        while start > candles.time[i] and start >= first and len(rows) < limit:
            rows.append((start, close, close, close, close, 0.0))
            start = interval.shift(start, -1)
        if len(rows) >= limit or candles.time[i] < first:
            break
        ohlc = (candles.open[i], candles.high[i], candles.low[i], close)
        rows.append((candles.time[i], *ohlc, candles.volume[i]))
        end = candles.time[i]
    columns = zip(*reversed(rows[:limit]), strict=True)
    return Candles(*map(list, columns))
