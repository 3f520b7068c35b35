-- the engine takes no parameter for the name: one backup at a time, under one name
ALTER TABLE {table:Identifier} FREEZE WITH NAME 'appliance_backup'
