"""Settings and composition: the only place that knows every brand."""
