"""Fills the next generation of the read models beside the live one, proves it, moves queries."""
