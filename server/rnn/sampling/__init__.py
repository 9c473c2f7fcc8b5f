"""Writing text with a network, and how surprising a text is to it."""
