"""Treadle's budgets measured beside its peers: `python -m benchmarks`, or `make bench`."""
