-- one row per bucket of the wanted interval, newest first; volumes as text, with all their digits
SELECT
    if({months:UInt16} = 0,
        toInt64(intDiv(toUnixTimestamp(bucket) - {offset:UInt32}, {step:UInt32}) * {step:UInt32} + {offset:UInt32}),
        toInt64(toUnixTimestamp(addMonths(
            toDateTime('1970-01-01 00:00:00', 'UTC'),
            intDiv(toRelativeMonthNum(bucket, 'UTC') - 1970 * 12 - 1, greatest({months:UInt16}, 1)) * {months:UInt16})))) AS start,
    argMinMerge(candles.open) AS first_price,
    max(candles.high) AS highest_price,
    min(candles.low) AS lowest_price,
    argMaxMerge(candles.close) AS last_price,
    toString(sum(candles.base_volume)) AS base,
    toString(sum(candles.quote_volume)) AS quote,
    toString(sum(candles.buy_volume)) AS buy,
    toString(sum(candles.buy_quote_volume)) AS buy_quote,
    sum(candles.trades) AS trade_count,
    min(candles.first_sequence) AS lowest_sequence,
    max(candles.last_sequence) AS highest_sequence
FROM candles
WHERE interval = {divisor:UInt32}
    AND market_id = {market:UInt32}
    AND bucket >= toDateTime({from:UInt32}, 'UTC')
    AND bucket < toDateTime({to:UInt32}, 'UTC')
GROUP BY start
ORDER BY start DESC
LIMIT {limit:UInt32}
