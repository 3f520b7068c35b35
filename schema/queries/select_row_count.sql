-- the rows of a market in a range of time, marks included
SELECT toInt64(count())
FROM trades
WHERE market_id = {market:UInt32}
    AND time >= toDateTime64({from:Int64}, 6, 'UTC')
    AND time < toDateTime64({to:Int64}, 6, 'UTC')
