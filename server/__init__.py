"""Hurrah: watch a recurrent network learn to write."""

__version__ = "0.1.0"
