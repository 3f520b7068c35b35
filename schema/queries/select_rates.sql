-- one row per market with a mark price or a funding rate: the newest of each
-- marks are looked for in the hour of the market's last trade and the one before it
SELECT
    market_id,
    max(mark) AS mark_price,
    max(rate) AS funding_rate
FROM
(
    SELECT
        market_id,
        argMax(trades.mark_price, (sequence, tie)) AS mark,
        CAST(NULL, 'Nullable(Float64)') AS rate
    FROM trades
    WHERE trades.mark_price IS NOT NULL
        AND (market_id, toStartOfHour(time)) IN
        (
            SELECT
                market_id,
                arrayJoin([newest, newest - 3600])
            FROM
            (
                SELECT
                    market_id,
                    max(bucket) AS newest
                FROM candles
                WHERE interval = 3600
                    AND market_id IN {markets:Array(UInt32)}
                GROUP BY market_id
            )
        )
    GROUP BY market_id
    UNION ALL
    SELECT
        market_id,
        CAST(NULL, 'Nullable(Float64)') AS mark,
        argMax(value, (time, sequence)) AS rate
    FROM marks
    WHERE kind = 'funding'
        AND (market_id, toDate(time)) IN
        (
            SELECT
                market_id,
                toDate(max(time))
            FROM marks
            WHERE kind = 'funding'
                AND market_id IN {markets:Array(UInt32)}
            GROUP BY market_id
        )
    GROUP BY market_id
)
GROUP BY market_id
