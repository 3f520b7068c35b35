-- the last funding rate of each bucket of the wanted interval, newest first
SELECT
    if({months:UInt16} = 0,
        toInt64(intDiv(toUnixTimestamp(time) - {offset:UInt32}, {step:UInt32}) * {step:UInt32} + {offset:UInt32}),
        toInt64(toUnixTimestamp(addMonths(
            toDateTime('1970-01-01 00:00:00', 'UTC'),
            intDiv(toRelativeMonthNum(time, 'UTC') - 1970 * 12 - 1, greatest({months:UInt16}, 1)) * {months:UInt16})))) AS start,
    argMax(value, (marks.time, marks.sequence)) AS rate
FROM marks FINAL
WHERE market_id = {market:UInt32}
    AND time >= toDateTime64({from:Int64}, 6, 'UTC')
    AND time < toDateTime64({to:Int64}, 6, 'UTC')
    AND kind = 'funding'
    AND value IS NOT NULL
GROUP BY start
ORDER BY start DESC
LIMIT {limit:UInt32}
