"""What may happen and why: pure, without I/O, clock or randomness."""
