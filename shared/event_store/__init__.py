"""The event store: what happened, append-only, the source of every other number."""
