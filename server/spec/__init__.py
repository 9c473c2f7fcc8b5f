"""The description of a run: fields, limits, sizes and schedule."""
