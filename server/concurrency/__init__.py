"""Child processes, admission limits and shared requests."""
