-- one row per bucket in which positions changed: by how many quote units, newest first
SELECT
    if({months:UInt16} = 0,
        toInt64(intDiv(toUnixTimestamp(time) - {offset:UInt32}, {step:UInt32}) * {step:UInt32} + {offset:UInt32}),
        toInt64(toUnixTimestamp(addMonths(
            toDateTime('1970-01-01 00:00:00', 'UTC'),
            intDiv(toRelativeMonthNum(time, 'UTC') - 1970 * 12 - 1, greatest({months:UInt16}, 1)) * {months:UInt16})))) AS start,
    toFloat64(sum(if(kind IN ('open', 'increase'), quote_volume, -quote_volume))) AS change
FROM trades
WHERE market_id = {market:UInt32}
    AND time >= toDateTime64({from:Int64}, 6, 'UTC')
    AND time < toDateTime64({to:Int64}, 6, 'UTC')
    AND kind IN ('open', 'increase', 'close', 'liquidation')
GROUP BY start
ORDER BY start DESC
LIMIT {limit:UInt32}
