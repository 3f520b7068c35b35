-- nothing, having read a whole part
SELECT *
FROM {table:Identifier}
WHERE _part = {part:String}
FORMAT Null
