-- one row: the ids of markets one of whose names is :text, with commas between
SELECT group_concat(id)
FROM (
    SELECT DISTINCT id
    FROM names
    WHERE kind IN (0, 1, 2, 3)
        AND key = :text
    LIMIT :limit
)
