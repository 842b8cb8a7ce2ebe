"""The events of the system: what happened, in the order it happened."""
