-- what positions of a market came to before a time: quote units opened and closed since the first
-- trade, and events of positions whose opening is not stored
SELECT
    toFloat64(sumIf(quote_volume, kind IN ('open', 'increase'))) AS opened,
    toFloat64(sumIf(quote_volume, kind IN ('close', 'liquidation'))) AS closed,
    countIf(kind IN ('close', 'liquidation', 'increase') AND side = '') AS strangers
FROM trades
WHERE market_id = {market:UInt32}
    AND time < toDateTime64({to:Int64}, 6, 'UTC')
    AND kind IN ('open', 'increase', 'close', 'liquidation')
