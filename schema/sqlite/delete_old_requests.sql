-- forget those of the ten oldest that are past their time, or beyond the most that are kept
DELETE FROM requests
WHERE number IN (
    SELECT number
    FROM requests
    ORDER BY number
    LIMIT 10
)
    AND (
        time < :kept_from
        OR number <= (SELECT max(number) FROM requests) - :most
    )
