"""The commands of the Inside page in the inference process."""
