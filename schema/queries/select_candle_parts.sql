-- which blocks each year of candles was given, and by which deletions it was changed; merges change neither
SELECT
    partition,
    min(min_block_number) AS first_block,
    max(max_block_number) AS last_block,
    max(data_version) AS version
FROM system.parts
WHERE database = currentDatabase()
    AND table = 'candles'
    AND active
GROUP BY partition
ORDER BY partition
