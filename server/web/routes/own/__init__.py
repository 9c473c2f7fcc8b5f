"""Results of the user's own network: weights to start from, and losses to compare."""
