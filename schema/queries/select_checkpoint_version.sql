-- the newest version of any remembered fact, 0 if there is none
SELECT max(version)
FROM checkpoints
