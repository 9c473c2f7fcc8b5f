"""The cost of many viewers and of long histories to a running server."""
