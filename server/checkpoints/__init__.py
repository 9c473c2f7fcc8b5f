"""The files that hold a network: `.npz` archives, checkpoints and snapshots."""
