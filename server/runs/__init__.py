"""The life cycle of runs, in the server process."""
