"""Immutable bytes by digest."""
