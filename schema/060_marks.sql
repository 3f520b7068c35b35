CREATE TABLE IF NOT EXISTS marks
(
    market_id    UInt32,
    time         DateTime64(6, 'UTC'),
    sequence     UInt64,
    kind         LowCardinality(String) COMMENT 'liquidation, large trade, funding, note',
    value        Nullable(Float64)      COMMENT 'size or rate, by kind',
    label        String,
    chain_id     UInt64,
    block_number UInt64
)
ENGINE = ReplacingMergeTree
PARTITION BY toYear(time)
ORDER BY (market_id, time, sequence, kind)
COMMENT 'one row per event worth showing on a chart'
