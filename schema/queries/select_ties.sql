-- the next rows of a market after a place of the table's order
SELECT
    toUnixTimestamp64Micro(time),
    sequence,
    tie
FROM trades
WHERE market_id = {market:UInt32}
    AND time >= fromUnixTimestamp64Micro({time_us:Int64}, 'UTC')
    AND (time, sequence, tie) > (fromUnixTimestamp64Micro({time_us:Int64}, 'UTC'), {sequence:UInt64}, {tie:UInt64})
ORDER BY
    time,
    sequence,
    tie
LIMIT {rows:UInt32}
