"""The process that trains one run, and its client."""
