-- one row per market of a range that has a trade in the window: hours inside, minutes at its edge
SELECT
    market_id,
    argMinMerge(candles.open) AS first_price,
    max(candles.high) AS highest_price,
    min(candles.low) AS lowest_price,
    argMaxMerge(candles.close) AS last_price,
    toFloat64(sum(candles.base_volume)) AS base,
    toFloat64(sum(candles.quote_volume)) AS quote,
    sum(candles.trades) AS trade_count
FROM candles
PREWHERE market_id BETWEEN {first:UInt32} AND {last:UInt32}
    AND (
        (interval = 3600 AND bucket >= toDateTime({hour:UInt32}, 'UTC'))
        OR (
            interval = 60
            AND bucket >= toDateTime({from:UInt32}, 'UTC')
            AND bucket < toDateTime({hour:UInt32}, 'UTC')
        )
    )
GROUP BY market_id
ORDER BY market_id
