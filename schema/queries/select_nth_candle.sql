-- a stored bucket in the n-th candle from a time on, or in the last one if there are fewer;
-- candles before the first price are not counted: nobody draws them
SELECT toInt64(toUnixTimestamp(max(bucket)))
FROM
(
    SELECT bucket
    FROM candles
    WHERE interval = {divisor:UInt32}
        AND market_id = {market:UInt32}
        AND bucket >= toDateTime({from:UInt32}, 'UTC')
        AND bucket < toDateTime({to:UInt32}, 'UTC')
        AND bucket >=
        (
            SELECT bucket
            FROM candles
            WHERE interval = {divisor:UInt32}
                AND market_id = {market:UInt32}
                AND high IS NOT NULL
            ORDER BY bucket
            LIMIT 1
        )
    ORDER BY bucket
    LIMIT 1 BY if({months:UInt16} = 0,
        toInt64(intDiv(toUnixTimestamp(bucket) - {offset:UInt32}, {step:UInt32})),
        toInt64(intDiv(toRelativeMonthNum(bucket, 'UTC') - 1970 * 12 - 1, greatest({months:UInt16}, 1))))
    LIMIT {count:UInt32}
)
HAVING count() > 0
