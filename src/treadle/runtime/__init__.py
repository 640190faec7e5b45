"""HOW a job runs, inside the worker process."""
