"""Whole runs as one file: exporting and importing."""
