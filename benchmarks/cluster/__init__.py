"""The server with hundreds of workers on other machines."""
