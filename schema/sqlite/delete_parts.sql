-- :rows is JSON, [[id, text], …] with the texts that were inserted
INSERT INTO parts (parts, rowid, text)
SELECT
    'delete',
    json_extract(value, '$[0]'),
    json_extract(value, '$[1]')
FROM json_each(:rows)
