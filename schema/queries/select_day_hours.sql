-- one row per market with a trade in the hours from :hour on, and the closes of these hours
SELECT
    market_id,
    argMinIf(hour_open, start, hour_open IS NOT NULL) AS first_price,
    max(hour_high) AS highest_price,
    min(hour_low) AS lowest_price,
    sum(hour_base) AS base,
    sum(hour_quote) AS quote,
    sum(hour_trades) AS trade_count,
    argMaxIf(hour_close, start, hour_close IS NOT NULL) AS last_price,
    arrayMap(
        each -> each.2,
        arraySort(groupArrayIf((start, assumeNotNull(hour_close)), hour_close IS NOT NULL))
    ) AS closes
FROM
(
    SELECT
        market_id,
        bucket AS start,
        argMinMerge(candles.open) AS hour_open,
        max(candles.high) AS hour_high,
        min(candles.low) AS hour_low,
        argMaxMerge(candles.close) AS hour_close,
        sum(candles.base_volume) AS hour_base,
        sum(candles.quote_volume) AS hour_quote,
        sum(candles.trades) AS hour_trades
    FROM candles
    WHERE interval = 3600
        AND market_id IN {markets:Array(UInt32)}
        AND bucket >= toDateTime({hour:UInt32}, 'UTC')
    GROUP BY
        market_id,
        start
)
GROUP BY market_id
