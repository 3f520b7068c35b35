-- one row per market and day whose candles do not hold as many rows as there are trades
SELECT
    market_id,
    toInt64(day) AS unequal_day
FROM
(
    SELECT
        market_id,
        intDiv(toUnixTimestamp(time), 86400) * 86400 AS day,
        count() AS stored,
        0 AS merged_s,
        0 AS merged_d
    FROM trades
    WHERE market_id IN {markets:Array(UInt32)}
        AND time >= toDateTime64({from:Int64}, 6, 'UTC')
        AND time < toDateTime64({to:Int64}, 6, 'UTC')
    GROUP BY
        market_id,
        day
    UNION ALL
    SELECT
        market_id,
        intDiv(toUnixTimestamp(bucket), 86400) * 86400 AS day,
        0 AS stored,
        sumIf(rows, interval = 1) AS merged_s,
        sumIf(rows, interval = 86400) AS merged_d
    FROM candles
    WHERE market_id IN {markets:Array(UInt32)}
        AND interval IN (1, 86400)
        AND bucket >= toDateTime({from:UInt32}, 'UTC')
        AND bucket < toDateTime({to:UInt32}, 'UTC')
    GROUP BY
        market_id,
        day
) AS days
LEFT JOIN (SELECT market_id, raw_complete_from FROM markets FINAL) AS limits USING (market_id)
WHERE day >= limits.raw_complete_from
GROUP BY
    market_id,
    day
HAVING sum(stored) != sum(merged_d)
    OR (sum(stored) != sum(merged_s) AND day >= {seconds_from:Int64})
ORDER BY day
