"""How markets did lately: their last 24 hours and other spans, one by one and in order."""
