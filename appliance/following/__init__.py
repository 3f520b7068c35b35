"""Following: from what the operator names to the trades of a chain, as its blocks come."""
