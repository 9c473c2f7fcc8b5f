"""Routes of groups of runs."""
