-- one row per part: whether its files are what they were when they were written
CHECK TABLE {table:Identifier}
FORMAT JSONEachRow
