-- one row per market: the closes of its hours in the window, oldest first
SELECT
    market_id,
    groupArray(last_price) AS closes
FROM
(
    SELECT
        market_id,
        argMaxMerge(candles.close) AS last_price
    FROM candles
    WHERE interval = 3600
        AND market_id IN {markets:Array(UInt32)}
        AND bucket >= toDateTime({from:UInt32}, 'UTC')
    GROUP BY
        market_id,
        bucket
    HAVING last_price IS NOT NULL
    ORDER BY
        market_id,
        bucket
)
GROUP BY market_id
