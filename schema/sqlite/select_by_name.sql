-- one row: the ids of one page of all markets by symbol (:kind 0) or by name (2)
SELECT group_concat(id)
FROM (
    SELECT id
    FROM names
    WHERE kind = :kind
        AND id NOT IN (SELECT value FROM json_each(:hidden))
    ORDER BY
        key,
        id
    LIMIT :limit
    OFFSET :offset
)
