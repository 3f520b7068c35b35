-- the stored trades of a market in a range of its order
SELECT
    sequence,
    tie,
    execution_price,
    mark_price,
    base_volume
FROM trades
WHERE market_id = {market:UInt32}
    AND time >= fromUnixTimestamp64Micro({from_us:Int64}, 'UTC')
    AND time <= fromUnixTimestamp64Micro({to_us:Int64}, 'UTC')
    AND sequence >= {first:UInt64}
    AND sequence <= {last:UInt64}
