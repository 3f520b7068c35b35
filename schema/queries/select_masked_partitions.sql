-- the partitions that hold deleted rows
SELECT DISTINCT partition_id
FROM system.parts
WHERE database = currentDatabase()
    AND table = {table:String}
    AND active
    AND has_lightweight_delete
