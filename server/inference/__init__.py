"""The processes that write passages, measure text and check gradients."""
