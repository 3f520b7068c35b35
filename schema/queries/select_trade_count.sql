-- trades per market; marks are not trades
SELECT sum(trades)
FROM candles
WHERE interval = 86400
