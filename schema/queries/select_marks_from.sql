-- how many marks a chain has from a block on
SELECT count()
FROM marks
WHERE chain_id = {chain:UInt64}
    AND block_number >= {block:UInt64}
