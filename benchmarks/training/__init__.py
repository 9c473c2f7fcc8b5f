"""The speed of training and of generating text, compared with other implementations."""
