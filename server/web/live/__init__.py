"""The live view of a run over a WebSocket."""
