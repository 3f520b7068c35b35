-- the stored trades of a market whose ids may be among those with these ties
SELECT
    trade_id,
    sequence,
    execution_price,
    base_volume
FROM trades
WHERE market_id = {market:UInt32}
    AND tie IN {ties:Array(UInt64)}
