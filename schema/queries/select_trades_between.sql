-- the newest trades of a market in a span of time, below a place in its order
SELECT
    toUnixTimestamp64Micro(time) AS time_us,
    sequence,
    coalesce(execution_price, price, mark_price) AS shown_price,
    base_volume AS base,
    quote_volume AS quote,
    side,
    kind,
    chain_id,
    block_number,
    transaction_hash,
    trade_id
FROM trades
WHERE market_id = {market:UInt32}
    AND time >= toDateTime64({from:Int64}, 6, 'UTC')
    AND time < toDateTime64({to:Int64}, 6, 'UTC')
    AND sequence < {before:UInt64}
    AND kind != 'mark'
ORDER BY
    market_id DESC,
    time DESC,
    trades.sequence DESC,
    tie DESC
LIMIT {limit:UInt32}
