SELECT
    market_id,
    raw_complete_from
FROM markets FINAL
WHERE market_id IN {markets:Array(UInt32)}
