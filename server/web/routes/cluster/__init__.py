"""Routes about the machines on which runs train."""
