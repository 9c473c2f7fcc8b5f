"""Routes of what a run has recorded: losses, metrics and samples."""
