-- the stored trades of a market that carry one of these ids
SELECT
    trade_id,
    sequence,
    execution_price,
    base_volume
FROM trades
WHERE market_id = {market:UInt32}
    AND trade_id IN {ids:Array(String)}
