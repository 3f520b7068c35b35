"""Doctor: examine the endpoints of each chain, and say what to set and what to drop."""
