"""The child account: commands, decide, evolve."""
