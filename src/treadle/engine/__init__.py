"""WHERE jobs run."""
