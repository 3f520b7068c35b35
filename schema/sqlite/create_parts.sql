-- SQLite: the trigrams of a market's names, each in a line of its own; the row's number is its id
CREATE VIRTUAL TABLE IF NOT EXISTS parts USING fts5
(
    text,
    tokenize = 'trigram',
    content = '',
    detail = 'none',
    columnsize = 0
)
