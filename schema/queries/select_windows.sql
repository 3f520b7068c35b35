-- one row per market with a trade since a minute; from the first whole hour on read as hours
SELECT
    market_id,
    argMinMerge(candles.open) AS first_price,
    max(candles.high) AS highest_price,
    min(candles.low) AS lowest_price,
    argMaxMerge(candles.close) AS last_price,
    sum(candles.base_volume) AS base,
    sum(candles.quote_volume) AS quote,
    sum(candles.trades) AS trade_count,
    min(candles.first_sequence) AS lowest_sequence,
    max(candles.last_sequence) AS highest_sequence
FROM candles
WHERE market_id IN {markets:Array(UInt32)}
    AND ((interval = 3600 AND bucket >= toDateTime({hour:UInt32}, 'UTC'))
        OR (interval = 60
            AND bucket >= toDateTime({from:UInt32}, 'UTC')
            AND bucket < toDateTime({hour:UInt32}, 'UTC')))
GROUP BY market_id
