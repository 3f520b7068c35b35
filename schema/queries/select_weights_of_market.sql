-- one row per month, or day, in which a market has trades or candles: its start, and what comparing
-- them costs, in candles
SELECT
    if({by_month:Bool},
        toInt64(toUnixTimestamp(toDateTime(toStartOfMonth(toDateTime(day, 'UTC')), 'UTC'))),
        toInt64(day)) AS start,
    toInt64(sum(candles_read) + intDiv(sum(trades_read), {trades_per_candle:UInt32})) AS weight
FROM
(
    SELECT
        intDiv(toUnixTimestamp(time), 86400) * 86400 AS day,
        count() AS trades_read,
        0 AS candles_read
    FROM trades
    WHERE market_id = {market:UInt32}
        AND time >= toDateTime64({from:Int64}, 6, 'UTC')
        AND time < toDateTime64({to:Int64}, 6, 'UTC')
    GROUP BY day
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp(bucket), 86400) * 86400 AS day,
        0 AS trades_read,
        count() AS candles_read
    FROM candles
    WHERE market_id = {market:UInt32}
        AND bucket >= toDateTime({from:UInt32}, 'UTC')
        AND bucket < toDateTime({to:UInt32}, 'UTC')
    GROUP BY day
)
GROUP BY start
ORDER BY start
