CREATE TABLE IF NOT EXISTS checkpoints
(
    kind    LowCardinality(String) COMMENT 'what is remembered: schema, source, side',
    key     String                 COMMENT 'which one of its kind',
    value   String                 COMMENT 'its state, as text or JSON',
    version UInt64                 COMMENT 'microseconds since the epoch; the newest row wins'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (kind, key)
COMMENT 'one row per remembered fact'
