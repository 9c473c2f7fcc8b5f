"""What a trained network does with a text: measured, never changed."""
