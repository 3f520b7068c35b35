-- rows as they lie in the parts, those that a merge will drop included
SELECT
    table,
    sum(rows) AS part_rows
FROM system.parts
WHERE database = currentDatabase()
    AND active
GROUP BY table
