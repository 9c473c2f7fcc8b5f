"""Passages: requests, writing, and the gallery of saved ones."""
