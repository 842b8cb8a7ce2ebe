"""Events to read models: batches in, one transaction out."""
