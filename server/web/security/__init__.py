"""Authentication, origin checks, security headers and rate limits."""
