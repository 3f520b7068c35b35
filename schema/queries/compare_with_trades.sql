-- one row per interval: how many candles a range of markets and whole days has, and which are not
-- what its trades make. `columns` names what differs in a candle that both sides have, a bit each.
-- `kept_from` is the second from which candles of the interval at the same place are kept.
WITH
    seconds AS
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
        WHERE market_id >= {first_market:UInt32}
            AND market_id <= {last_market:UInt32}
            AND time >= toDateTime64({from:Int64}, 6, 'UTC')
            AND time < toDateTime64({to:Int64}, 6, 'UTC')
        GROUP BY
            market_id,
            second
    ),
    made AS
    (
        SELECT
            1 AS present,
            interval,
            market_id,
            toDateTime(second - second % interval, 'UTC') AS bucket,
            reinterpretAsUInt64(argMinMerge(open_state)) AS open_bits,
            reinterpretAsUInt64(max(high_price)) AS high_bits,
            reinterpretAsUInt64(min(low_price)) AS low_bits,
            reinterpretAsUInt64(argMaxMerge(close_state)) AS close_bits,
            sum(base) AS base_sum,
            sum(quote) AS quote_sum,
            sum(buy) AS buy_sum,
            sum(buy_quote) AS buy_quote_sum,
            sum(trade_count) AS trade_sum,
            sum(liquidation_count) AS liquidation_sum,
            min(lowest_sequence) AS first_key,
            max(highest_sequence) AS last_key,
            sum(row_count) AS row_sum
        FROM seconds
        ARRAY JOIN CAST([1, 60, 300, 900, 3600, 14400, 86400], 'Array(UInt32)') AS interval
        GROUP BY
            interval,
            market_id,
            bucket
    ),
    stored AS
    (
        SELECT
            1 AS present,
            interval,
            market_id,
            bucket,
            reinterpretAsUInt64(argMinMerge(candles.open)) AS open_bits,
            reinterpretAsUInt64(max(candles.high)) AS high_bits,
            reinterpretAsUInt64(min(candles.low)) AS low_bits,
            reinterpretAsUInt64(argMaxMerge(candles.close)) AS close_bits,
            sum(candles.base_volume) AS base_sum,
            sum(candles.quote_volume) AS quote_sum,
            sum(candles.buy_volume) AS buy_sum,
            sum(candles.buy_quote_volume) AS buy_quote_sum,
            sum(candles.trades) AS trade_sum,
            sum(candles.liquidations) AS liquidation_sum,
            min(candles.first_sequence) AS first_key,
            max(candles.last_sequence) AS last_key,
            sum(candles.rows) AS row_sum
        FROM candles
        WHERE market_id >= {first_market:UInt32}
            AND market_id <= {last_market:UInt32}
            AND bucket >= toDateTime({from:UInt32}, 'UTC')
            AND bucket < toDateTime({to:UInt32}, 'UTC')
        GROUP BY
            interval,
            market_id,
            bucket
    ),
    pairs AS
    (
        SELECT
            interval,
            market_id,
            toInt64(toUnixTimestamp(bucket)) AS start,
            NOT stored.present AS is_missing,
            NOT made.present AS is_extra,
            if(made.present AND stored.present,
                1 * (NOT (made.open_bits <=> stored.open_bits))
                + 2 * (NOT (made.high_bits <=> stored.high_bits))
                + 4 * (NOT (made.low_bits <=> stored.low_bits))
                + 8 * (NOT (made.close_bits <=> stored.close_bits))
                + 16 * (made.base_sum != stored.base_sum)
                + 32 * (made.quote_sum != stored.quote_sum)
                + 64 * (made.buy_sum != stored.buy_sum)
                + 128 * (made.buy_quote_sum != stored.buy_quote_sum)
                + 256 * (made.trade_sum != stored.trade_sum)
                + 512 * (made.liquidation_sum != stored.liquidation_sum)
                + 1024 * (made.first_key != stored.first_key)
                + 2048 * (made.last_key != stored.last_key)
                + 4096 * (made.row_sum != stored.row_sum),
                0) AS columns
        FROM made
        FULL JOIN stored USING (interval, market_id, bucket)
        WHERE start >= {kept_from:Array(Int64)}[indexOf({limited:Array(UInt32)}, interval)]
    )
SELECT
    interval,
    count() AS checked,
    countIf(columns != 0) AS differing,
    countIf(is_missing) AS missing,
    countIf(is_extra) AS extra,
    min(start) AS first,
    max(start) AS last,
    groupArraySortedIf(5)((start, market_id, is_missing, is_extra, columns), is_unequal) AS examples,
    groupUniqArrayIf((market_id, intDiv(start, 86400) * 86400), is_unequal) AS unequal_days
FROM (SELECT *, is_missing OR is_extra OR columns != 0 AS is_unequal FROM pairs)
GROUP BY interval
ORDER BY interval
