"""Trades as callers write them: from text to columns, and columns on the wire."""
