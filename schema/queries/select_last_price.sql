-- the last price before a time
SELECT argMaxMerge(candles.close) AS last_price
FROM candles
WHERE interval = {divisor:UInt32}
    AND market_id = {market:UInt32}
    AND bucket < toDateTime({to:UInt32}, 'UTC')
GROUP BY bucket
HAVING last_price IS NOT NULL
ORDER BY bucket DESC
LIMIT 1
