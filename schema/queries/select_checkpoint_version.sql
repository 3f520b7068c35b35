-- the newest version of a remembered fact, 0 if there is none
SELECT max(version)
FROM checkpoints
WHERE kind = {kind:String}
    AND key = {key:String}
