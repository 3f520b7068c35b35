-- one row per market: the highest sequence stored
SELECT
    market_id,
    max(last_sequence)
FROM candles
WHERE interval = 86400
GROUP BY market_id
