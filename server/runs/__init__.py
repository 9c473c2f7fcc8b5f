"""Runs as things that live: their processes, pace, store, checkpoints and texts."""
