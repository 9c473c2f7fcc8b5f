"""The loss of every update, and its reduction for display."""
