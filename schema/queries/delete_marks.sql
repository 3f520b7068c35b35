-- the marks of a chain from a block on
DELETE FROM marks
WHERE chain_id = {chain:UInt64}
    AND block_number >= {block:UInt64}
