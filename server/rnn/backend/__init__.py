"""The choice between NumPy and Numba's compiled loops."""
