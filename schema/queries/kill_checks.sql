-- end what reads all files of a table: it takes as long as it takes, and nobody waits for it now
KILL QUERY
WHERE position(query, concat('CHECK ', 'TABLE')) > 0
SYNC
