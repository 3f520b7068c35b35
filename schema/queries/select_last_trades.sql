-- one row per market: time and price of its last priced second
SELECT
    market_id,
    toInt64(toUnixTimestamp(bucket)) AS last_second,
    argMaxMerge(candles.close) AS last_price
FROM candles
WHERE interval = 1
    AND market_id IN {markets:Array(UInt32)}
GROUP BY
    market_id,
    bucket
HAVING last_price IS NOT NULL
ORDER BY
    market_id,
    bucket DESC
LIMIT 1 BY market_id
