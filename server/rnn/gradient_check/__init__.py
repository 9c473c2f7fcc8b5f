"""The gradient check: numerical derivatives and a reference network."""
