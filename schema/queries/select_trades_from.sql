-- the trades of a market with a price from a time and a place in its order on, oldest first
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
    AND time >= fromUnixTimestamp64Micro({from_us:Int64}, 'UTC')
    AND time < fromUnixTimestamp64Micro({to_us:Int64}, 'UTC')
    AND block_number >= {block:UInt64}
    AND sequence >= {sequence:UInt64}
    AND kind != 'mark'
    AND shown_price IS NOT NULL
ORDER BY
    market_id,
    time,
    trades.sequence,
    tie
LIMIT {limit:UInt32}
