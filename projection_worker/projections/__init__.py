"""The folds: `evolve(document or None, event) -> document or None`, by subject. Pure."""
