-- one row per market of a range that ever had a price: the last one
SELECT
    market_id,
    argMaxMerge(candles.close) AS last_price
FROM candles
WHERE interval = 86400
    AND market_id BETWEEN {first:UInt32} AND {last:UInt32}
GROUP BY market_id
HAVING last_price IS NOT NULL
ORDER BY market_id
