-- one row per market with a trade in the minutes at the older edge of the window
-- without the last price: it is that of the hours, or where these have none, of all time
SELECT
    market_id,
    argMinMerge(candles.open) AS first_price,
    max(candles.high) AS highest_price,
    min(candles.low) AS lowest_price,
    sum(candles.base_volume) AS base,
    sum(candles.quote_volume) AS quote,
    sum(candles.trades) AS trade_count
FROM candles
WHERE interval = 60
    AND market_id IN {markets:Array(UInt32)}
    AND bucket >= toDateTime({from:UInt32}, 'UTC')
    AND bucket < toDateTime({hour:UInt32}, 'UTC')
GROUP BY market_id
