"""Reactions to what was projected, as Faust agents."""
