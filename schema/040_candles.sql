CREATE TABLE IF NOT EXISTS candles
(
    interval         UInt32          COMMENT 'seconds: 1, 60, 300, 900, 3600, 14400, 86400',
    market_id        UInt32,
    bucket           DateTime('UTC') COMMENT 'start, a multiple of interval in unix time',
    -- ohlc: by the order of trades, never of arrival --
    open             AggregateFunction(argMin, Nullable(Float64), UInt128),
    high             SimpleAggregateFunction(max, Nullable(Float64)),
    low              SimpleAggregateFunction(min, Nullable(Float64)),
    close            AggregateFunction(argMax, Nullable(Float64), UInt128),
    -- volume: decimals, so that sums agree to the digit in any order --
    base_volume      SimpleAggregateFunction(sum, Decimal(76, 18)),
    quote_volume     SimpleAggregateFunction(sum, Decimal(76, 18)),
    buy_volume       SimpleAggregateFunction(sum, Decimal(76, 18)) COMMENT 'base volume of buys',
    buy_quote_volume SimpleAggregateFunction(sum, Decimal(76, 18)) COMMENT 'quote volume of buys',
    -- counts --
    trades           SimpleAggregateFunction(sum, UInt64) COMMENT 'rows of kind mark left out',
    liquidations     SimpleAggregateFunction(sum, UInt64),
    first_sequence   SimpleAggregateFunction(min, UInt64),
    last_sequence    SimpleAggregateFunction(max, UInt64),
    rows             SimpleAggregateFunction(sum, UInt64) COMMENT 'marks included'
)
ENGINE = AggregatingMergeTree
PARTITION BY toYear(bucket)
ORDER BY (interval, market_id, bucket)
SETTINGS
    non_replicated_deduplication_window = 10000,
    min_rows_to_fsync_after_merge = 1
COMMENT 'one row per interval, market and bucket that holds a trade or mark'
