"""The choice between NumPy and compiled loops."""
