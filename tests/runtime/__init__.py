"""A package, so that its file names may be those of other rooms' tests."""
