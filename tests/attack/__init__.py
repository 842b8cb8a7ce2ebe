"""Attacks on a running stack, as rows of a table: what is tried, and what must come of it."""
