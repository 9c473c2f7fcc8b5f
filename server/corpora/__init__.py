"""The texts that runs learn from, and measures of text."""
