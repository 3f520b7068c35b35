-- whether a part was put aside, and where
SELECT path
FROM system.detached_parts
WHERE database = currentDatabase()
    AND table = {table:String}
    AND name = {part:String}
