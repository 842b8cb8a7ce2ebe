"""Checks of the project's own rules that no linter has."""
