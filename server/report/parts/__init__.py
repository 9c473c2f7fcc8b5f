"""The parts of a report: what each contains."""
