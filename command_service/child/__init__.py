"""The child account, pure: commands, decide, evolve."""
