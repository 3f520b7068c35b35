-- one row per market whose candles of whole days hold more rows than there are trades:
-- the seconds of the first and the last such day, and how many rows those days held
SELECT
    market_id,
    min(day) AS first_day,
    max(day) AS last_day,
    toInt64(sum(merged_rows)) AS held
FROM
(
    SELECT
        market_id,
        day,
        sum(merged) AS merged_rows
    FROM
    (
        SELECT
            market_id,
            intDiv(toInt64(toUnixTimestamp(time)), 86400) * 86400 AS day,
            count() AS stored,
            0 AS merged
        FROM trades
        WHERE time >= toDateTime64({from:Int64}, 6, 'UTC')
            AND time < toDateTime64({to:Int64}, 6, 'UTC')
        GROUP BY
            market_id,
            day
        UNION ALL
        SELECT
            market_id,
            toInt64(toUnixTimestamp(bucket)) AS day,
            0 AS stored,
            sum(rows) AS merged
        FROM candles
        WHERE interval = 86400
            AND bucket >= toDateTime({from:UInt32}, 'UTC')
            AND bucket < toDateTime({to:UInt32}, 'UTC')
        GROUP BY
            market_id,
            day
    )
    GROUP BY
        market_id,
        day
    HAVING sum(merged) > sum(stored)
) AS days
LEFT JOIN (SELECT market_id, raw_complete_from FROM markets FINAL) AS limits USING (market_id)
WHERE day >= limits.raw_complete_from
GROUP BY market_id
ORDER BY market_id
