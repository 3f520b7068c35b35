-- one row per market with trades or candles from a time on: what comparing them costs, in candles
SELECT
    market_id,
    toInt64(sum(candles_read) + intDiv(sum(trades_read), {trades_per_candle:UInt32})) AS weight
FROM
(
    SELECT
        market_id,
        count() AS trades_read,
        0 AS candles_read
    FROM trades
    WHERE time >= toDateTime64({from:Int64}, 6, 'UTC')
    GROUP BY market_id
    UNION ALL
    SELECT
        market_id,
        0 AS trades_read,
        count() AS candles_read
    FROM candles
    WHERE bucket >= toDateTime({from:UInt32}, 'UTC')
    GROUP BY market_id
)
GROUP BY market_id
ORDER BY market_id
