"""Who asked for what and who was shown what: an append-only, hash-chained, signed record of it."""
