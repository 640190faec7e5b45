"""Pure words of the system: no I/O, no clock, standard library only."""
