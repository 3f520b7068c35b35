-- the newest mark price of each market as it was emitted, and by which kind of event
SELECT
    market_id,
    argMax(kind, (sequence, tie)) AS newest_kind,
    argMax(raw_price, (sequence, tie)) AS newest_raw_price
FROM trades
WHERE market_id IN {markets:Array(UInt32)}
    AND kind IN {kinds:Array(String)}
    AND mark_price IS NOT NULL
    AND raw_price != 0
GROUP BY market_id
