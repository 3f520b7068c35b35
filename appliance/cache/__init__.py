"""Where answers wait to be asked for again: in memory, and on disk."""
