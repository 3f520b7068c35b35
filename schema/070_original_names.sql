CREATE VIEW IF NOT EXISTS vamm_market_transactions AS
SELECT
    markets.symbol AS market_symbol,
    trades.*
FROM trades
LEFT JOIN (SELECT market_id, symbol FROM markets FINAL) AS markets ON markets.market_id = trades.market_id
;

CREATE VIEW IF NOT EXISTS vamm_ohlcv_1s AS
SELECT
    market_id,
    bucket AS timestamp,
    argMinMerge(candles.open) AS open,
    max(candles.high) AS high,
    min(candles.low) AS low,
    argMaxMerge(candles.close) AS close,
    sum(candles.base_volume) AS volume,
    sum(candles.quote_volume) AS quote_volume,
    sum(candles.trades) AS trade_count
FROM candles
WHERE interval = 1
GROUP BY
    market_id,
    bucket
;

CREATE VIEW IF NOT EXISTS vamm_ohlcv_1m AS
SELECT
    market_id,
    bucket AS timestamp,
    argMinMerge(candles.open) AS open,
    max(candles.high) AS high,
    min(candles.low) AS low,
    argMaxMerge(candles.close) AS close,
    sum(candles.base_volume) AS volume,
    sum(candles.quote_volume) AS quote_volume,
    sum(candles.trades) AS trade_count
FROM candles
WHERE interval = 60
GROUP BY
    market_id,
    bucket
;

CREATE VIEW IF NOT EXISTS vamm_ohlcv_5m AS
SELECT
    market_id,
    bucket AS timestamp,
    argMinMerge(candles.open) AS open,
    max(candles.high) AS high,
    min(candles.low) AS low,
    argMaxMerge(candles.close) AS close,
    sum(candles.base_volume) AS volume,
    sum(candles.quote_volume) AS quote_volume,
    sum(candles.trades) AS trade_count
FROM candles
WHERE interval = 300
GROUP BY
    market_id,
    bucket
;

CREATE VIEW IF NOT EXISTS vamm_ohlcv_15m AS
SELECT
    market_id,
    bucket AS timestamp,
    argMinMerge(candles.open) AS open,
    max(candles.high) AS high,
    min(candles.low) AS low,
    argMaxMerge(candles.close) AS close,
    sum(candles.base_volume) AS volume,
    sum(candles.quote_volume) AS quote_volume,
    sum(candles.trades) AS trade_count
FROM candles
WHERE interval = 900
GROUP BY
    market_id,
    bucket
;

CREATE VIEW IF NOT EXISTS vamm_ohlcv_1h AS
SELECT
    market_id,
    bucket AS timestamp,
    argMinMerge(candles.open) AS open,
    max(candles.high) AS high,
    min(candles.low) AS low,
    argMaxMerge(candles.close) AS close,
    sum(candles.base_volume) AS volume,
    sum(candles.quote_volume) AS quote_volume,
    sum(candles.trades) AS trade_count
FROM candles
WHERE interval = 3600
GROUP BY
    market_id,
    bucket
;

CREATE VIEW IF NOT EXISTS vamm_ohlcv_4h AS
SELECT
    market_id,
    bucket AS timestamp,
    argMinMerge(candles.open) AS open,
    max(candles.high) AS high,
    min(candles.low) AS low,
    argMaxMerge(candles.close) AS close,
    sum(candles.base_volume) AS volume,
    sum(candles.quote_volume) AS quote_volume,
    sum(candles.trades) AS trade_count
FROM candles
WHERE interval = 14400
GROUP BY
    market_id,
    bucket
;

CREATE VIEW IF NOT EXISTS vamm_ohlcv_1d AS
SELECT
    market_id,
    bucket AS timestamp,
    argMinMerge(candles.open) AS open,
    max(candles.high) AS high,
    min(candles.low) AS low,
    argMaxMerge(candles.close) AS close,
    sum(candles.base_volume) AS volume,
    sum(candles.quote_volume) AS quote_volume,
    sum(candles.trades) AS trade_count
FROM candles
WHERE interval = 86400
GROUP BY
    market_id,
    bucket
