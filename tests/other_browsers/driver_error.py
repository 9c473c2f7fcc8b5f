"""The error of both drivers."""


class DriverError(Exception):
    """The browser does not start, or refused a command; it may just be opening a page."""
