CREATE TABLE IF NOT EXISTS markets
(
    market_id         UInt32                 COMMENT 'given in order of appearance, never reused',
    symbol            String                 COMMENT 'canonical spelling, unique, never changes',
    name              String,
    exchange          LowCardinality(String),
    -- chain --
    chain_id          UInt64                 COMMENT '0: not on a chain',
    contract          String                 COMMENT 'lower-case address, empty: not on a chain',
    -- pair --
    base              String,
    quote             String,
    -- rules --
    trade_order       LowCardinality(String) COMMENT 'chain: by block and log index; time: by microsecond and id',
    price_rule        LowCardinality(String) COMMENT 'execution: what the trader paid; after: the price that the trade left',
    price_decimals    UInt8                  COMMENT 'digits shown after the point',
    -- state --
    tier              UInt8                  COMMENT '0: none',
    status            LowCardinality(String),
    icon              String,
    raw_complete_from Int64                  COMMENT 'unix seconds; raw trades are complete from here on',
    version           UInt64                 COMMENT 'microseconds since the epoch; the newest row wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY market_id
COMMENT 'one row per market'
