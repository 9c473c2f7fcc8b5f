"""Child processes, background tasks, and limits on what runs at once."""
