"""Files made from a model: its weights, and a page that writes without a server."""
