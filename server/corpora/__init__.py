"""The texts that runs are trained on, and measures of text."""
