-- the partitions of trades that lie before one of them, and the number of rows in each
SELECT
    partition_id,
    sum(rows)
FROM system.parts
WHERE database = currentDatabase()
    AND table = 'trades'
    AND active
    AND partition_id <= {partition:String}
GROUP BY partition_id
ORDER BY partition_id
