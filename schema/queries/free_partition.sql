-- write a partition anew without its deleted rows, which gives their space back
ALTER TABLE {table:Identifier}
    APPLY DELETED MASK IN PARTITION ID {partition:String}
