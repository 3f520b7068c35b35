-- what each position was when it opened, by the events that say so
SELECT
    market_id,
    position_id,
    argMax(side, (sequence, tie)) AS newest_side
FROM trades
WHERE market_id IN {markets:Array(UInt32)}
    AND kind IN {kinds:Array(String)}
    AND position_id != ''
    AND side != ''
GROUP BY
    market_id,
    position_id
