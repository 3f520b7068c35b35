-- one row: the ids of markets of an exchange
SELECT group_concat(id)
FROM (
    SELECT id
    FROM names
    WHERE kind = 4
        AND key = :exchange
    LIMIT :limit
)
