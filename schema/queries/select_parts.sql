-- the parts of the tables that hold what can be lost, newest first
SELECT
    table,
    name,
    partition_id,
    toInt64(toUnixTimestamp(min_time)) AS first_second,
    toInt64(toUnixTimestamp(max_time)) AS last_second,
    bytes_on_disk,
    path
FROM system.parts
WHERE database = currentDatabase()
    AND active
    AND table IN ('trades', 'candles', 'markets', 'marks', 'checkpoints')
ORDER BY modification_time DESC
