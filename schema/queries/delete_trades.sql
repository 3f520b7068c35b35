-- the trades of markets from a block on; the times only bound what is read
DELETE FROM trades
WHERE market_id IN {markets:Array(UInt32)}
    AND block_number >= {block:UInt64}
    AND time >= toDateTime64({from:Int64}, 6, 'UTC')
    AND time < toDateTime64({to:Int64}, 6, 'UTC')
