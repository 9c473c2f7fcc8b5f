"""The inside of a network, for the page: models, probes."""
