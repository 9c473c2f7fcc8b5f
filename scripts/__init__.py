"""What setting up and looking after the project needs; nothing here is part of the server."""
