-- note the body that came with a key, unless the key is in use
INSERT INTO requests (key, body, time)
VALUES (:key, :body, :now)
ON CONFLICT (key) DO UPDATE SET
    body = excluded.body,
    time = excluded.time
WHERE time < :kept_from
