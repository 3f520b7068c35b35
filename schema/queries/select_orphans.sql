-- a market that has candles and no row of its own, if there is one
SELECT market_id
FROM candles
WHERE interval = 86400
    AND market_id NOT IN (SELECT market_id FROM markets)
LIMIT 1
