-- the newest trades of a market with a price before a time
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
    AND time < fromUnixTimestamp64Micro({to_us:Int64}, 'UTC')
    AND kind != 'mark'
    AND shown_price IS NOT NULL
ORDER BY
    market_id DESC,
    time DESC,
    trades.sequence DESC,
    tie DESC
LIMIT {limit:UInt32}
