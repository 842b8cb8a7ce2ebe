"""What all services share: events, stores, keys, callers, settings."""
