-- the markets whose candles before their first kept day hold blocks from one on
SELECT DISTINCT market_id
FROM candles
LEFT JOIN (SELECT market_id, raw_complete_from FROM markets FINAL) AS limits USING (market_id)
WHERE interval = 86400
    AND market_id IN {markets:Array(UInt32)}
    AND toUnixTimestamp(bucket) < limits.raw_complete_from
    AND last_sequence >= {first:UInt64}
ORDER BY market_id
