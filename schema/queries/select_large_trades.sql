-- the largest of the newest trades of a market in a span of time, by what was paid;
-- all of them are at least `times` the median
WITH recent AS
(
    SELECT
        toUnixTimestamp64Micro(time) AS time_us,
        sequence,
        tie,
        coalesce(execution_price, price, mark_price) AS shown_price,
        base_volume AS base,
        quote_volume AS quote,
        side,
        transaction_hash,
        kind
    FROM trades
    WHERE market_id = {market:UInt32}
        AND time >= toDateTime64({from:Int64}, 6, 'UTC')
        AND time < toDateTime64({to:Int64}, 6, 'UTC')
        AND kind != 'mark'
    ORDER BY
        market_id DESC,
        time DESC,
        trades.sequence DESC,
        trades.tie DESC
    LIMIT {rows:UInt32}
)
SELECT
    time_us,
    sequence,
    tie,
    shown_price,
    base,
    quote,
    side,
    transaction_hash
FROM recent
WHERE kind != 'liquidation'
    AND quote > 0
    AND toFloat64(quote) >= {times:UInt32} * (SELECT toFloat64(quantileExact(0.5)(quote)) FROM recent)
ORDER BY
    quote DESC,
    sequence DESC,
    tie DESC
LIMIT {limit:UInt32}
