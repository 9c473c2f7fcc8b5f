"""Results computed from a stored run: surprisal, loss by position, spikes, estimates."""
