-- the parts that the engine put aside as it could not load them
SELECT
    table,
    name,
    partition_id,
    reason,
    path
FROM system.detached_parts
WHERE database = currentDatabase()
    AND startsWith(reason, 'broken')
ORDER BY
    table,
    name
