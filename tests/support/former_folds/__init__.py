"""The folds of projections 6, as that release had them: what later ones are compared with."""
