-- :rows is JSON, [[kind, key, id], …]
INSERT OR IGNORE INTO names (kind, key, id)
SELECT
    json_extract(value, '$[0]'),
    json_extract(value, '$[1]'),
    json_extract(value, '$[2]')
FROM json_each(:rows)
