-- the tables that hold rows, and the folder of each
SELECT
    name,
    data_paths[1] AS folder
FROM system.tables
WHERE database = currentDatabase()
    AND endsWith(engine, 'MergeTree')
ORDER BY name
