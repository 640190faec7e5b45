"""The database of what happened."""
