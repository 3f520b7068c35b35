-- the candles of whole days of markets, made of their trades; the view's own SELECT
INSERT INTO candles
WITH seconds AS
(
    SELECT
        market_id,
        toUnixTimestamp(time) AS second,
        argMinState(price, bitShiftLeft(toUInt128(sequence), 64) + tie) AS open_state,
        max(price) AS high_price,
        min(price) AS low_price,
        argMaxState(price, bitShiftLeft(toUInt128(sequence), 64) + tie) AS close_state,
        sum(toDecimal256(base_volume, 18)) AS base,
        sum(toDecimal256(quote_volume, 18)) AS quote,
        sumIf(toDecimal256(base_volume, 18), side = 'buy') AS buy,
        sumIf(toDecimal256(quote_volume, 18), side = 'buy') AS buy_quote,
        countIf(kind != 'mark') AS trade_count,
        countIf(kind = 'liquidation') AS liquidation_count,
        min(sequence) AS lowest_sequence,
        max(sequence) AS highest_sequence,
        count() AS row_count
    FROM trades
    WHERE market_id IN {markets:Array(UInt32)}
        AND time >= toDateTime64({from:Int64}, 6, 'UTC')
        AND time < toDateTime64({to:Int64}, 6, 'UTC')
    GROUP BY
        market_id,
        second
)
SELECT
    interval,
    market_id,
    toDateTime(second - second % interval, 'UTC') AS bucket,
    argMinMergeState(open_state) AS open,
    max(high_price) AS high,
    min(low_price) AS low,
    argMaxMergeState(close_state) AS close,
    sum(base) AS base_volume,
    sum(quote) AS quote_volume,
    sum(buy) AS buy_volume,
    sum(buy_quote) AS buy_quote_volume,
    sum(trade_count) AS trades,
    sum(liquidation_count) AS liquidations,
    min(lowest_sequence) AS first_sequence,
    max(highest_sequence) AS last_sequence,
    sum(row_count) AS rows
FROM seconds
ARRAY JOIN CAST([1, 60, 300, 900, 3600, 14400, 86400], 'Array(UInt32)') AS interval
GROUP BY
    interval,
    market_id,
    bucket
