"""Candles in the form in which they are sent, kept as long as they are what the store holds."""
