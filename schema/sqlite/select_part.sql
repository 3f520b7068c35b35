-- one row: the ids of markets whose names have all of the trigrams of :match
SELECT group_concat(rowid)
FROM (
    SELECT rowid
    FROM parts
    WHERE parts MATCH :match
    LIMIT :limit
)
