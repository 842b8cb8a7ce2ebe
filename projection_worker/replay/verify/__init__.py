"""Compares the read models with a fold of the event store."""
