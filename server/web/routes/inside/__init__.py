"""The inside of a network: the probe of a text, and more."""
