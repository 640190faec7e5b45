"""Pipeline files: what they say becomes the model, and is written back."""
