"""The network: NumPy and the standard library only; no files, clocks, logging or web."""
