-- what these positions of a market were when they opened, by the events that say so
SELECT
    position_id,
    argMax(side, (sequence, tie)) AS newest_side
FROM trades
WHERE market_id = {market:UInt32}
    AND kind IN {kinds:Array(String)}
    AND position_id IN {positions:Array(String)}
    AND side != ''
GROUP BY position_id
