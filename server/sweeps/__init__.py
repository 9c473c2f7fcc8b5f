"""Sweeps: many runs whose settings a sampler chooses."""
