SELECT
    key,
    value
FROM checkpoints FINAL
WHERE kind = {kind:String}
ORDER BY key
