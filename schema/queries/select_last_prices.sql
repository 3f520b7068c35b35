-- one row per market that ever had a price: the last one
SELECT
    market_id,
    argMaxMerge(candles.close) AS last_price
FROM candles
WHERE interval = 86400
    AND market_id IN {markets:Array(UInt32)}
GROUP BY market_id
HAVING last_price IS NOT NULL
