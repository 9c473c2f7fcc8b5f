"""The HTTP layer: protocol, body limits, error responses, static files."""
