"""The store: trades in, candles out; one engine, many read handles, one writer thread."""
