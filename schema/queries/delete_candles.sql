DELETE FROM candles
WHERE market_id IN {markets:Array(UInt32)}
    AND bucket >= toDateTime({from:UInt32}, 'UTC')
    AND bucket < toDateTime({to:UInt32}, 'UTC')
