"""Lectures: a presenter's view that a hall follows."""
