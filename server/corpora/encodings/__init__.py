"""The encoding of a text: its detection, and the repair of damaged text."""
