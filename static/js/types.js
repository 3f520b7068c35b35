/**
 * The shapes that travel between modules. Times are unix seconds (UTC) unless a name says
 * otherwise (`…Ms`). What the server does not know is absent, never zero.
 *
 * @typedef {object} Candle
 * @property {number} time start of the bucket
 * @property {number} open
 * @property {number} high
 * @property {number} low
 * @property {number} close
 * @property {number} volume in base units
 * @property {boolean} final false while a reorg may still change it
 * @property {boolean} [closed] the server has said so; otherwise the clock decides
 *
 * @typedef {"forming" | "provisional" | "final"} Certainty
 *
 * @typedef {object} Market
 * @property {number | string} [market_id]
 * @property {string} symbol
 * @property {string} [name]
 * @property {string} [exchange]
 * @property {string} [base]
 * @property {string} [quote]
 * @property {number} [current_price]
 * @property {number} [price_change_24h]
 * @property {number} [price_change_percent_24h]
 * @property {number} [high_24h]
 * @property {number} [low_24h]
 * @property {number} [volume_24h]
 * @property {number} [quote_volume_24h]
 * @property {number} [trades_24h]
 * @property {number} [mark_price]
 * @property {number} [funding_rate]
 * @property {number} [price_decimals]
 * @property {number[]} [sparkline] hourly closes, oldest first
 *
 * @typedef {object} Trade
 * @property {number} time
 * @property {number} price
 * @property {number} size
 * @property {"buy" | "sell" | null} side
 * @property {string} kind
 * @property {string} sequence
 * @property {boolean} [final]
 * @property {string} [transaction_hash]
 *
 * @typedef {object} Part
 * @property {string} name
 * @property {string} state
 * @property {number} [progress]
 * @property {string | null} [reason]
 *
 * @typedef {object} Health
 * @property {"ready" | "not_ready"} status
 * @property {boolean} [demo]
 * @property {number} [trades_stored]
 * @property {number} [trades_per_second]
 * @property {number} [readers]
 * @property {Part[]} [parts]
 *
 * @typedef {Record<"time" | "open" | "high" | "low" | "close" | "volume", number[]> & {final?: boolean[]}} CandleColumns
 *
 * @typedef {object} Bootstrap
 * @property {string | null} symbol
 * @property {string} interval
 * @property {Market[]} markets
 * @property {CandleColumns} candles
 * @property {Trade[]} trades
 * @property {Health} status
 * @property {string[]} intervals
 * @property {string} version
 * @property {number} time server clock in milliseconds
 */

// An import for its types alone still needs a module.
export {};
