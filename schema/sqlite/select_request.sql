-- the body that came with a key
SELECT body
FROM requests
WHERE key = :key
