"""The addresses, one module a kind of thing."""
