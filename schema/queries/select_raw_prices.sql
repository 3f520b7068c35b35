-- mark prices of a market as they were emitted: the newest below a place, and those up to another
SELECT
    sequence,
    tie,
    kind,
    raw_price
FROM trades
WHERE market_id = {market:UInt32}
    AND kind IN {kinds:Array(String)}
    AND mark_price IS NOT NULL
    AND raw_price != 0
    AND sequence <= {last:UInt64}
    AND sequence >= (
        SELECT max(sequence)
        FROM trades
        WHERE market_id = {market:UInt32}
            AND kind IN {kinds:Array(String)}
            AND mark_price IS NOT NULL
            AND raw_price != 0
            AND sequence < {first:UInt64}
    )
ORDER BY
    sequence,
    tie
