-- SQLite: one row per name of a shown or demo market; all in upper case
CREATE TABLE IF NOT EXISTS names
(
    kind INTEGER NOT NULL, -- 0: symbol, 1: its plain form, 2: name, 3: address, 4: exchange
    key  TEXT    NOT NULL,
    id   INTEGER NOT NULL,
    PRIMARY KEY (kind, key, id)
)
WITHOUT ROWID
