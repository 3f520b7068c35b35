-- the stored trades of a market at these places of its order; the times only bound what is read
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
    AND sequence IN {sequences:Array(UInt64)}
