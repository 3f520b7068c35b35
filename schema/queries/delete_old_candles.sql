-- candles of one interval that are no longer kept, in the whole days of a range
DELETE FROM candles
WHERE interval = {interval:UInt32}
    AND bucket >= toDateTime({from:UInt32}, 'UTC')
    AND bucket < toDateTime({to:UInt32}, 'UTC')
