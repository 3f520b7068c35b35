-- :rows is JSON, [[kind, key, id], …]
DELETE FROM names
WHERE (kind, key, id) IN (
    SELECT
        json_extract(value, '$[0]'),
        json_extract(value, '$[1]'),
        json_extract(value, '$[2]')
    FROM json_each(:rows)
)
