-- the newest version of any market's row
SELECT max(version)
FROM markets
