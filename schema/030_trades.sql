CREATE TABLE IF NOT EXISTS trades
(
    market_id        UInt32,
    time             DateTime64(6, 'UTC')   COMMENT 'of the block, or as reported',
    sequence         UInt64                 COMMENT 'block * 2^20 + log index, or microseconds since the epoch',
    tie              UInt64                 COMMENT 'orders trades of equal sequence',
    -- price --
    price            Nullable(Float64)      COMMENT 'the price that makes candles; null adds volume only',
    execution_price  Nullable(Float64)      COMMENT 'what the trader paid',
    mark_price       Nullable(Float64)      COMMENT 'mark or spot after the trade',
    -- volume --
    base_volume      Decimal(38, 18)        COMMENT 'in base units',
    quote_volume     Decimal(38, 18)        COMMENT 'in quote units',
    fee              Decimal(38, 18)        COMMENT 'in quote units',
    pnl              Decimal(38, 18)        COMMENT 'realized, in quote units',
    -- who and what --
    side             LowCardinality(String) COMMENT 'buy, sell, or empty: not known',
    kind             LowCardinality(String) COMMENT 'trade, open, close, increase, liquidation; mark: a price without a trade',
    leverage         Float32                COMMENT '0: not known',
    trader           String,
    position_id      String,
    -- log --
    chain_id         UInt64                 COMMENT '0: not on a chain',
    block_number     UInt64,
    log_index        UInt32,
    transaction_hash String CODEC(ZSTD(1)),
    trade_id         String CODEC(ZSTD(1))  COMMENT 'unique in its market, or empty',
    raw_price        UInt256 CODEC(ZSTD(1)) COMMENT 'as emitted, 0: none',
    raw_size         UInt256 CODEC(ZSTD(1)) COMMENT 'as emitted, 0: none',
    INDEX block_number_range block_number TYPE minmax GRANULARITY 1,
    INDEX trade_id_bloom trade_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (market_id, time, sequence, tie)
SETTINGS
    non_replicated_deduplication_window = 10000,
    min_rows_to_fsync_after_merge = 1
COMMENT 'one row per trade or mark'
