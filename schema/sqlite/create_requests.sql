-- SQLite: one row per Idempotency-Key of the last day; both columns of bytes are digests
CREATE TABLE IF NOT EXISTS requests
(
    number INTEGER PRIMARY KEY, -- ascends with time, unless the clock is put back
    key    BLOB NOT NULL UNIQUE,
    body   BLOB NOT NULL,
    time   INTEGER NOT NULL     -- unix seconds
)
