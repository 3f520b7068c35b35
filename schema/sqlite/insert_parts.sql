-- :rows is JSON, [[id, text], …]
INSERT INTO parts (rowid, text)
SELECT
    json_extract(value, '$[0]'),
    json_extract(value, '$[1]')
FROM json_each(:rows)
