"""What runs next, and what came of it."""
