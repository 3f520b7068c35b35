DELETE FROM trades
WHERE time < toDateTime64({to:Int64}, 6, 'UTC')
