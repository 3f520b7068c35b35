-- the newest marks of a market in a span of time; with a step, the last of each kind in each
SELECT
    toUnixTimestamp64Micro(time) AS time_us,
    sequence,
    kind,
    value,
    label
FROM marks FINAL
WHERE market_id = {market:UInt32}
    AND time >= toDateTime64({from:Int64}, 6, 'UTC')
    AND time < toDateTime64({to:Int64}, 6, 'UTC')
    AND kind IN ('funding', 'note')
ORDER BY
    market_id DESC,
    time DESC,
    marks.sequence DESC
LIMIT 1 BY
    kind,
    if({step:UInt32} = 0, marks.sequence, intDiv(toUnixTimestamp(time), greatest({step:UInt32}, 1)))
LIMIT {limit:UInt32}
