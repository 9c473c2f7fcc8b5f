"""HTTP itself: the protocol, body limits, errors, static files."""
