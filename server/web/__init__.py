"""Answering people: pages, routes, the live fan-out, who may do what."""
