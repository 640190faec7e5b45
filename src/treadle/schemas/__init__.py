"""The JSON shapes of the doors, and their mapping to and from the model."""
