"""Files of networks: `.npz` archives, checkpoints and snapshots."""
