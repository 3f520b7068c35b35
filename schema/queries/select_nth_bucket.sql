-- the start of the n-th newest stored bucket before a time, or of the oldest if there are fewer
SELECT toInt64(toUnixTimestamp(min(bucket)))
FROM
(
    SELECT DISTINCT bucket
    FROM candles
    WHERE interval = {divisor:UInt32}
        AND market_id = {market:UInt32}
        AND bucket < toDateTime({to:UInt32}, 'UTC')
    ORDER BY bucket DESC
    LIMIT {count:UInt32}
)
HAVING count() > 0
