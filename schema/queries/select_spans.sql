-- one row per market with trades from a block on: the seconds of the first and the last
SELECT
    market_id,
    toInt64(toUnixTimestamp(min(time))) AS first_second,
    toInt64(toUnixTimestamp(max(time))) AS last_second
FROM trades
WHERE market_id IN {markets:Array(UInt32)}
    AND block_number >= {block:UInt64}
GROUP BY market_id
