-- one row per market that has candles: the start of its newest day
SELECT
    market_id,
    toInt64(toUnixTimestamp(max(bucket)))
FROM candles
WHERE interval = 86400
    AND market_id IN {markets:Array(UInt32)}
GROUP BY market_id
