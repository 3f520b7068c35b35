-- forget a request that was refused
DELETE FROM requests
WHERE key = :key
    AND body = :body
