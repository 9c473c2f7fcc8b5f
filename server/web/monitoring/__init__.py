"""What an operator can watch: the log and the metrics."""
