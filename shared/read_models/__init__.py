"""The read models: what queries see. Rebuilt from events at any time."""
