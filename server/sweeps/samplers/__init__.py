"""The samplers of sweeps."""
