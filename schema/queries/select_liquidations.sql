-- the newest liquidations of a market in a span of time
SELECT
    toUnixTimestamp64Micro(time) AS time_us,
    sequence,
    tie,
    coalesce(execution_price, price, mark_price) AS shown_price,
    base_volume AS base,
    quote_volume AS quote,
    side,
    transaction_hash
FROM trades
WHERE market_id = {market:UInt32}
    AND time >= toDateTime64({from:Int64}, 6, 'UTC')
    AND time < toDateTime64({to:Int64}, 6, 'UTC')
    AND kind = 'liquidation'
ORDER BY
    market_id DESC,
    time DESC,
    trades.sequence DESC,
    trades.tie DESC
LIMIT {limit:UInt32}
