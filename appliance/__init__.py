"""The chart appliance: trades in, candles out, one process."""

__version__ = "0.1.0"
