"""The folds: `evolve(document or None, event) -> document or None`, one file a read model. Pure."""
