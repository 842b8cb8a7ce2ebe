"""Who asked for what and who saw what: an append-only, hash-chained, signed record of it."""
